//! Contexts under smol: its executor finishes the clean-ups, its timers limit them.
//!
//! ```sh
//! cargo run -p guard-examples --example runtime_smol
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use guard_core::{AsyncContext, TimeoutError, async_context, async_with, drain, yield_resource};
use smol::Timer;
use smol::fs::{File, OpenOptions};
use smol::future;
use smol::io::AsyncWriteExt;

/// Appends to a file, and writes under it how that ended.
#[async_context]
async fn journal(path: PathBuf) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    let outcome = yield_resource!(file);
    file.write_all(format!("-- {outcome:?}\n").as_bytes())
        .await?;
    file.flush().await
}

/// Waits between two entries, so that it can be cancelled there.
async fn record(path: &Path, entries: [&str; 2]) -> io::Result<()> {
    async_with!(file = journal(path.to_owned())?, {
        for entry in entries {
            if entry.is_empty() {
                return Err(io::Error::other("an entry is empty"));
            }
            file.write_all(format!("{entry}\n").as_bytes()).await?;
            file.flush().await?;
            if entry == "wait" {
                future::pending::<()>().await;
            }
        }
    });
    Ok(())
}

fn main() -> io::Result<()> {
    // Where a use is cancelled, its clean-up goes on as a task of smol.
    guard_core::set_spawner(|cleanup| smol::spawn(cleanup).detach());

    smol::block_on(async {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("journal");

        record(&path, ["begun", "done"]).await?;
        let failed = record(&path, ["begun", ""]).await;
        println!("failed because {}", failed.unwrap_err());

        let limit = async {
            Timer::after(Duration::from_millis(50)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let cancelled = future::or(record(&path, ["wait", "never"]), limit).await;
        println!("cancelled because it {}", cancelled.unwrap_err());

        // There is no tokio here to measure `exit_timeout`; any future is a limit.
        let limit = async {
            Timer::after(Duration::from_secs(10)).await;
        };
        journal(path.clone())
            .exit_until(limit)
            .with(async |file| -> Result<(), TimeoutError<io::Error>> {
                file.write_all(b"limited\n")
                    .await
                    .map_err(TimeoutError::Context)
            })
            .await
            .map_err(io::Error::other)?;

        drain().await;
        print!("{}", smol::fs::read_to_string(&path).await?);
        Ok(())
    })
}
