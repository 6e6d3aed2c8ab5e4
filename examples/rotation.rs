//! A log file that is rotated while it is written to, and an archive that is made only if something is archived.
//!
//! ```sh
//! cargo run -p guard-examples --example rotation
//! ```

use std::io;
use std::path::{Path, PathBuf};

use guard_core::context::SwapResource;
use guard_core::{AsyncContext, async_context, async_with, lazy, swap, yield_resource};
use guard_examples::files::temporary_directory;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

/// A log file. It ends with a line that says so: whoever reads it knows that it is complete.
#[async_context]
async fn log_file(path: PathBuf) -> io::Result<Mutex<File>> {
    let file = File::options().create(true).append(true).open(path).await?;
    let mut file = Mutex::new(file);
    yield_resource!(file);
    let mut file = file.into_inner();
    file.write_all(b"-- complete\n").await?;
    file.flush().await
}

async fn log(
    file: &SwapResource<impl AsyncContext<Resource = Mutex<File>>>,
    line: &str,
) -> io::Result<()> {
    // A file that is replaced meanwhile stays open until this line is written.
    let current = file.current();
    let mut file = current.lock().await;
    file.write_all(format!("{line}\n").as_bytes()).await?;
    file.flush().await
}

/// Handles requests: `rotate` gives the log its next file, `archive` keeps a copy of the first one.
async fn serve(requests: &[&str], directory: &Path) -> io::Result<()> {
    let path = |number: usize| directory.join(format!("log.{number}"));
    let mut files = 1;
    async_with!(
        file = swap(log_file(path(1)))?,
        archive = lazy(temporary_directory)?,
        {
            for request in requests {
                match *request {
                    "rotate" => {
                        files += 1;
                        // From here on the next file is written to. The former one is complete when this is done.
                        file.replace(log_file(path(files))).await?;
                    }
                    "archive" => {
                        let kept = archive.get().await?.path().join("log.1");
                        let bytes = fs::copy(path(1), &kept).await?;
                        log(file, &format!("archived {bytes} bytes")).await?;
                    }
                    request => log(file, request).await?,
                }
            }
            let made = if archive.entered().is_some() {
                "an"
            } else {
                "no"
            };
            println!("handled {} requests, with {made} archive", requests.len());
        }
    );
    Ok(())
}

/// Prints the log files, and removes them.
async fn show(directory: &Path) -> io::Result<()> {
    for number in 1.. {
        let path = directory.join(format!("log.{number}"));
        let Ok(text) = fs::read_to_string(&path).await else {
            break;
        };
        println!("  log.{number}: {}", text.trim_end().replace('\n', " | "));
        fs::remove_file(path).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    async_with!(directory = temporary_directory()?, {
        serve(&["first", "second"], directory.path()).await?;
        show(directory.path()).await?;
        serve(
            &["first", "rotate", "second", "archive", "rotate", "archive"],
            directory.path(),
        )
        .await?;
        show(directory.path()).await?;
        // The next file cannot be opened: the former one stays, until the error ends the use.
        fs::create_dir(directory.path().join("log.2")).await?;
        let failed = serve(&["first", "rotate"], directory.path()).await;
        println!("failed because of {}", failed.unwrap_err().kind());
        show(directory.path()).await?;
    });
    Ok(())
}
