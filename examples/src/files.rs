//! A [`temporary_directory`] and a [`temporary_file`], gone on every way out.

use std::io;
use std::path::PathBuf;

use guard_core::{AsyncContext, async_context, yield_resource};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::task::spawn_blocking;

/// A new directory among the system's temporary files, removed with all that is in it.
///
/// A `TempDir` alone would do it too, but in its destructor: on the thread of whatever task drops it, however
/// large the directory is, and with nobody to tell if it fails.
///
/// Reusable as it is.
#[track_caller]
pub fn temporary_directory()
-> impl AsyncContext<Resource = TempDir, Error = io::Error> + Send + 'static {
    temporary_directory_in(std::env::temp_dir())
}

/// A new directory in `parent`, removed with all that is in it.
///
/// Reusable as it is.
#[async_context]
pub async fn temporary_directory_in(parent: PathBuf) -> io::Result<TempDir> {
    let mut directory = spawn_blocking(move || TempDir::new_in(parent)).await??;
    yield_resource!(directory);
    spawn_blocking(move || directory.close()).await?
}

/// A file, and where it is.
#[derive(Debug)]
pub struct TemporaryFile {
    /// Open for reading and writing.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
}

/// A new file at `path`, removed at the end.
///
/// Fails if there is one already.
///
/// Reusable as it is.
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
