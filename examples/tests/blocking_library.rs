//! Transactions of rusqlite, on threads that may block.

#[path = "support/poll_until.rs"]
mod poll_until;
#[path = "support/run_example.rs"]
mod run_example;

use std::future::pending;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use guard_core::{AsyncContext, async_with, drain};
use guard_examples::blocking_library::transaction;
use poll_until::poll_until;
use run_example::run_example;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than any step of a test, and shorter than the library waits for a lock.
const SOON: Duration = Duration::from_secs(20);

fn database() -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.db");
    let db = Connection::open(&file).unwrap();
    db.execute_batch("CREATE TABLE entry (number INTEGER NOT NULL)")
        .unwrap();
    (directory, file)
}

fn insert(db: &mut Connection, number: u32) -> rusqlite::Result<()> {
    db.execute("INSERT INTO entry VALUES (?1)", [number])?;
    Ok(())
}

/// The number of rows that another connection sees. It also checks that the database is unlocked.
#[track_caller]
fn rows(file: &Path) -> u32 {
    let db = Connection::open(file).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    db.query_row("SELECT COUNT(*) FROM entry", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn a_body_that_succeeds_is_committed() -> rusqlite::Result<()> {
    let (_directory, file) = database();
    async_with!(db = transaction(file.clone())?, {
        insert(db, 1)?;
    });
    assert_eq!(rows(&file), 1);
    Ok(())
}

#[tokio::test]
async fn a_body_that_fails_is_rolled_back() {
    let (_directory, file) = database();
    let failed = transaction(file.clone()).with(async |db| {
        insert(db, 1)?;
        db.execute_batch("INSERT INTO entry VALUES (NULL)")
    });
    assert!(failed.await.is_err());
    assert_eq!(rows(&file), 0);
}

#[tokio::test]
async fn a_body_that_panics_is_rolled_back() {
    let (_directory, file) = database();
    let panicking = transaction(file.clone()).with(async |db| -> rusqlite::Result<()> {
        insert(db, 1)?;
        panic!("expected")
    });
    assert!(tokio::spawn(panicking).await.unwrap_err().is_panic());
    assert_eq!(rows(&file), 0);
}

#[tokio::test]
async fn a_cancelled_body_is_rolled_back() {
    let (_directory, file) = database();
    let inserted = AtomicBool::new(false);
    let waiting = transaction(file.clone()).with(async |db| -> rusqlite::Result<()> {
        insert(db, 1)?;
        inserted.store(true, Relaxed);
        pending().await
    });
    poll_until(waiting, |_| inserted.load(Relaxed)).await;
    drain().await;
    assert_eq!(rows(&file), 0);
}

/// A blocking thread cannot be interrupted: a value that it acquires is released afterwards.
#[tokio::test]
async fn a_transaction_that_is_cancelled_while_it_waits_is_released_after_it_was_acquired() {
    let (_directory, file) = database();
    let writer = Connection::open(&file).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    poll_until(transaction(file.clone()).enter(), |polls| polls == 1).await;
    writer.execute_batch("COMMIT").unwrap();
    timeout(SOON, drain()).await.unwrap();
    assert_eq!(rows(&file), 0);
}

#[test]
fn a_release_does_not_wait_for_the_threads_that_wait_for_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (_directory, file) = database();
    runtime.block_on(async {
        let mut transactions = JoinSet::new();
        // One transaction has the database. The other has the only thread, and waits for the database.
        for number in 0..10 {
            let transaction = transaction(file.clone());
            transactions.spawn(transaction.with(async move |db| insert(db, number)));
        }
        while let Some(ended) = timeout(SOON, transactions.join_next()).await.unwrap() {
            ended.unwrap().unwrap();
        }
    });
    assert_eq!(rows(&file), 10);
}

#[test]
fn the_example_counts_every_visit_or_none_of_it() {
    let output = run_example("blocking_library", &[]);
    assert!(output.status.success(), "{output:?}");
    let expected = [
        "one visit is not counted: the page is gone",
        "one visit is not counted: the page is gone",
        "16 pages were visited",
        "one visitor was cancelled",
        "16 pages were visited",
    ];
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
