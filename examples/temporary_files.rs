//! Temporary files and directories, which are removed however their use ends.
//!
//! ```sh
//! cargo run -p guard-examples --example temporary_files
//! ```
//!
//! The contexts themselves are in `src/files.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use guard_core::{async_with, drain};
use guard_examples::files::{temporary_directory, temporary_file};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// Sorts numbers that may not fit into memory: each part is sorted in its own file.
///
/// The files and the directory are removed, whatever happens in this function.
async fn sort(parts: &[&[i32]], seen: &mpsc::Sender<PathBuf>) -> anyhow::Result<Vec<i32>> {
    let mut sorted = Vec::new();
    async_with!(directory = temporary_directory()?, {
        for (number, part) in parts.iter().enumerate() {
            let path = directory.path().join(format!("part-{number}"));
            async_with!(temporary = temporary_file(path)?, {
                seen.send(temporary.path.clone()).await?;
                let mut part = part.to_vec();
                part.sort_unstable();
                for number in &part {
                    ensure!(*number >= 0, "{number} is negative");
                    temporary
                        .file
                        .write_all(format!("{number}\n").as_bytes())
                        .await?;
                }
                temporary.file.flush().await?;
                sorted.extend(read(&temporary.path).await?);
            });
        }
    });
    sorted.sort_unstable();
    Ok(sorted)
}

async fn read(path: &Path) -> anyhow::Result<Vec<i32>> {
    let text = tokio::fs::read_to_string(path).await?;
    text.lines()
        .map(|line| line.parse().context("not a number"))
        .collect()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (seen, mut files) = mpsc::channel(8);

    let sorted = sort(&[&[3, 1], &[2, 0]], &seen).await?;
    println!("sorted {sorted:?}, and {}", left(&mut files)?);

    let error = sort(&[&[3, 1], &[2, -1]], &seen).await.unwrap_err();
    println!("failed because {error}, and {}", left(&mut files)?);

    // Nobody receives the first name, so the second `send` waits for ever, until the sorting is cancelled.
    let (full, mut names) = mpsc::channel(1);
    let sorting = tokio::spawn(async move { sort(&[&[3, 1], &[2, 0]], &full).await });
    while names.is_empty() {
        tokio::task::yield_now().await;
    }
    sorting.abort();
    ensure!(sorting.await.is_err_and(|error| error.is_cancelled()));
    drain().await;
    println!("cancelled, and {}", left(&mut names)?);
    Ok(())
}

/// Checks that the files that were seen are gone, and their directories too.
fn left(files: &mut mpsc::Receiver<PathBuf>) -> anyhow::Result<String> {
    let mut count = 0;
    while let Ok(file) = files.try_recv() {
        let directory = file.parent().context("a file is in a directory")?;
        ensure!(
            !file.exists() && !directory.exists(),
            "{} is left",
            file.display()
        );
        count += 1;
    }
    Ok(format!("of {count} files none is left"))
}
