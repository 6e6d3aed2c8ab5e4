//! A [`temporary_directory`] and a [`temporary_file`], which are removed however their use ends.

use std::io;
use std::path::PathBuf;

use guard_core::{AsyncContext, async_context, yield_resource};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::task::spawn_blocking;

/// A new directory in the system's directory for temporary files. The exit removes it and everything in it.
///
/// A `TempDir` alone removes it in its destructor: on the thread of the task that drops it, even if the
/// directory is large, and without an error if that fails.
///
/// This function can be copied.
#[track_caller]
pub fn temporary_directory()
-> impl AsyncContext<Resource = TempDir, Error = io::Error> + Send + 'static {
    temporary_directory_in(std::env::temp_dir())
}

/// A new directory in `parent`. The exit removes it and everything in it.
///
/// This function can be copied.
#[async_context]
pub async fn temporary_directory_in(parent: PathBuf) -> io::Result<TempDir> {
    let mut directory = spawn_blocking(move || TempDir::new_in(parent)).await??;
    yield_resource!(directory);
    spawn_blocking(move || directory.close()).await?
}

/// An open file and its path.
#[derive(Debug)]
pub struct TemporaryFile {
    /// Open for reading and writing.
    pub file: File,
    /// The path of the file.
    pub path: PathBuf,
}

/// A new file at `path`. The exit removes it.
///
/// Fails if the file exists.
///
/// This function can be copied.
#[async_context]
pub async fn temporary_file(path: PathBuf) -> io::Result<TemporaryFile> {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .await?;
    let mut temporary = TemporaryFile { file, path };
    yield_resource!(temporary);
    let TemporaryFile { file, path } = temporary;
    // Windows does not remove open files.
    drop(file);
    tokio::fs::remove_file(path).await
}
