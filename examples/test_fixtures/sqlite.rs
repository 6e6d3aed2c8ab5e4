//! Tests with a database each, by `#[within]`.
//!
//! The context is in `database.rs`, beside this file.
//!
//! ```sh
//! cargo test -p guard-examples --test test_fixtures
//! ```

#[path = "../tests/support/alone.rs"]
mod alone;

use std::future::pending;
use std::io::ErrorKind;
use std::path::Path;

use alone::{alone, is_alone};
use anyhow::{bail, ensure};
use guard_core::{settled, within};
use guard_examples::test_database::test_database;
use sqlx::{SqlitePool, query, query_scalar};
use tokio::sync::Notify;

async fn check_in(db: &SqlitePool, name: &str) -> sqlx::Result<()> {
    query("INSERT INTO guest VALUES (?)")
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

async fn guests(db: &SqlitePool) -> sqlx::Result<Vec<String>> {
    query_scalar("SELECT name FROM guest").fetch_all(db).await
}

// Two tests, written as in a real project.

#[tokio::test]
#[within(db = test_database()?)]
async fn a_guest_is_found() -> anyhow::Result<()> {
    check_in(db, "Ada").await?;
    assert_eq!(guests(db).await?, ["Ada"]);
    Ok(())
}

#[within(db = test_database()?)]
#[tokio::test]
async fn another_test_has_another_database() -> anyhow::Result<()> {
    check_in(db, "Grace").await?;
    assert_eq!(guests(db).await?, ["Grace"]);
    Ok(())
}

// How the database is removed. Each of these tests runs in a new process, and may fail there.

#[tokio::test]
#[within(db = test_database()?)]
async fn one_that_succeeds() -> anyhow::Result<()> {
    print_file(db).await
}

#[tokio::test]
#[within(db = test_database()?)]
async fn one_that_fails() -> anyhow::Result<()> {
    print_file(db).await?;
    ensure!(!is_alone(), "expected");
    Ok(())
}

#[tokio::test]
#[within(db = test_database()?)]
async fn one_that_panics() -> anyhow::Result<()> {
    print_file(db).await?;
    assert!(!is_alone(), "expected");
    Ok(())
}

#[within(db = test_database()?)]
#[tokio::test]
async fn one_that_panics_with_its_attributes_in_the_other_order() -> anyhow::Result<()> {
    print_file(db).await?;
    assert!(!is_alone(), "expected");
    Ok(())
}

/// A test that hangs, and is cut off by a time limit around it. `settled` waits for the clean-up.
#[tokio::test]
async fn one_that_is_cut() -> anyhow::Result<()> {
    let printed = Notify::new();
    settled(until(printed.notified(), hangs(&printed))).await
}

#[within(db = test_database()?)]
async fn hangs(printed: &Notify) -> anyhow::Result<()> {
    print_file(db).await?;
    if is_alone() {
        printed.notify_one();
        pending::<()>().await;
    }
    Ok(())
}

/// A time limit for which no time has to pass.
async fn until(
    limit: impl Future,
    test: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        done = test => done,
        _ = limit => bail!("expected"),
    }
}

/// Prints the path of the database for the tests below.
async fn print_file(db: &SqlitePool) -> anyhow::Result<()> {
    check_in(db, "somebody").await?;
    let file: String = query_scalar("SELECT file FROM pragma_database_list")
        .fetch_one(db)
        .await?;
    ensure!(Path::new(&file).exists());
    println!("database {file}");
    Ok(())
}

/// Runs one of the tests above, checks that its database is gone, and returns whether the test succeeded.
#[track_caller]
fn leaves_nothing(test: &str) -> bool {
    let output = alone(test).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let file = printed
        .split_whitespace()
        .skip_while(|word| *word != "database")
        .nth(1);
    let file = Path::new(file.unwrap_or_else(|| panic!("no database was made: {printed}")));
    for path in [file, file.parent().unwrap()] {
        assert_eq!(path.metadata().unwrap_err().kind(), ErrorKind::NotFound);
    }
    output.status.success()
}

#[test]
fn the_database_is_gone_after_a_test_that_succeeds() {
    assert!(leaves_nothing("one_that_succeeds"));
}

#[test]
fn the_database_is_gone_after_a_test_that_fails() {
    assert!(!leaves_nothing("one_that_fails"));
}

#[test]
fn the_database_is_gone_after_a_test_that_panics() {
    assert!(!leaves_nothing("one_that_panics"));
    assert!(!leaves_nothing(
        "one_that_panics_with_its_attributes_in_the_other_order"
    ));
}

#[test]
fn the_database_is_gone_after_a_test_that_is_cut() {
    assert!(!leaves_nothing("one_that_is_cut"));
}
