//! A blocking library, rusqlite, in an async program: transactions with `blocking(acquire, release)`.
//!
//! The context is in `transaction.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example blocking_library
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use guard_core::{async_with, drain};
use guard_examples::blocking_library::transaction;
use rusqlite::Connection;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("visits.db");
    async_with!(db = transaction(file.clone())?, {
        block_in_place(|| db.execute_batch("CREATE TABLE visit (page TEXT NOT NULL)"))?;
    });

    let mut visitors = JoinSet::new();
    for visitor in 0..10 {
        let file = file.clone();
        visitors.spawn(async move {
            async_with!(db = transaction(file)?, {
                visit(db, "/")?;
                ensure!(visitor % 5 != 4, "the page is gone");
                visit(db, "/next")?;
            });
            Ok(())
        });
    }
    while let Some(visitor) = visitors.join_next().await {
        if let Err(error) = visitor? {
            println!("one visit is not counted: {error}");
        }
    }
    show(&file, 16)?;

    let hesitant = async {
        async_with!(db = transaction(file.clone())?, {
            visit(db, "/")?;
            sleep(Duration::from_secs(60)).await;
        });
        anyhow::Ok(())
    };
    ensure!(timeout(Duration::from_millis(50), hesitant).await.is_err());
    println!("one visitor was cancelled");
    drain().await;
    show(&file, 16)
}

fn visit(db: &mut Connection, page: &str) -> rusqlite::Result<()> {
    block_in_place(|| db.execute("INSERT INTO visit VALUES (?1)", [page]))?;
    Ok(())
}

/// Prints how many pages were visited, as another connection sees it, and checks the number.
fn show(file: &Path, expected: u32) -> anyhow::Result<()> {
    let visited: u32 = block_in_place(|| {
        Connection::open(file)?.query_row("SELECT COUNT(*) FROM visit", [], |row| row.get(0))
    })?;
    println!("{visited} pages were visited");
    ensure!(visited == expected, "there should be {expected}");
    Ok(())
}
