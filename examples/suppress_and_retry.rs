//! Errors that a context swallows, and a context that is entered again until it works.
//!
//! ```sh
//! cargo run -p guard-examples --example suppress_and_retry
//! ```

use std::time::Duration;

use anyhow::ensure;
use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_examples::files::temporary_directory;
use guard_examples::session::session;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, SqliteConnection, SqlitePool};

/// A part of a transaction that may fail: if it breaks a rule of the table, it is undone, and that is
/// all. Every other error is raised.
///
/// With `catch` the context is given the error itself, and what it returns decides. It is `scoped`
/// because it borrows; when it is cancelled, the transaction around it undoes everything.
#[async_context(scoped, catch)]
async fn optional_step(
    connection: &mut SqliteConnection,
    skipped: &mut Vec<String>,
) -> sqlx::Result<SqliteConnection> {
    let mut savepoint = connection.begin().await?;
    match yield_resource!(*savepoint) {
        Outcome::Completed => savepoint.commit().await,
        Outcome::Failed(error) => {
            savepoint.rollback().await?;
            match error.as_database_error() {
                Some(rule) if rule.is_check_violation() || rule.is_unique_violation() => {
                    skipped.push(rule.message().to_owned());
                    Ok(())
                }
                _ => Err(error),
            }
        }
        Outcome::Panicked | Outcome::Cancelled => savepoint.rollback().await,
    }
}

/// Imports what can be imported, in one transaction; the rest is told.
async fn import(pool: &SqlitePool, ages: &[(&str, i64)]) -> sqlx::Result<(usize, Vec<String>)> {
    let mut imported = 0;
    let mut skipped = Vec::new();
    async_with!(connection = session(pool.clone())?, {
        for &(name, age) in ages {
            let done = optional_step(connection, &mut skipped)
                .catch(async |connection| {
                    // The first is undone if the second fails.
                    sqlx::query("INSERT INTO invited VALUES (?)")
                        .bind(name)
                        .execute(&mut *connection)
                        .await?;
                    sqlx::query("INSERT INTO person VALUES (?, ?)")
                        .bind(name)
                        .bind(age)
                        .execute(connection)
                        .await
                })
                .await?;
            // `None` is an error that was swallowed.
            imported += usize::from(done.is_some());
        }
    });
    Ok((imported, skipped))
}

/// Adds a year to everybody's age, and tries again when another one is writing.
///
/// A context is used once. What can be repeated is the call that makes it, so each attempt is a session
/// of its own, of which nothing is left when it fails.
async fn celebrate(pool: &SqlitePool, mut waiting: impl AsyncFnMut(u32)) -> sqlx::Result<u64> {
    let mut attempt = 1;
    loop {
        let attempted = session(pool.clone())
            .with(async |connection| {
                let aged = sqlx::query("UPDATE person SET age = age + 1")
                    .execute(connection)
                    .await?;
                Ok(aged.rows_affected())
            })
            .await;
        match attempted {
            Err(error) if is_busy(&error) && attempt < 5 => waiting(attempt).await,
            result => return result,
        }
        attempt += 1;
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: &str = "5";
    let error = error.as_database_error();
    error
        .and_then(|error| error.code())
        .is_some_and(|code| code == SQLITE_BUSY)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    async_with!(directory = temporary_directory()?, {
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("people.db"))
            .create_if_missing(true)
            // So that the example need not wait; a service would let SQLite wait first.
            .busy_timeout(Duration::ZERO);
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        sqlx::raw_sql(
            "CREATE TABLE person (name TEXT UNIQUE, age INTEGER CHECK (age >= 0));
             CREATE TABLE invited (name TEXT)",
        )
        .execute(&pool)
        .await?;

        let people = [("anna", 30), ("bert", -1), ("anna", 31), ("carl", 32)];
        let (imported, skipped) = import(&pool, &people).await?;
        println!("imported {imported} people, and skipped {}:", skipped.len());
        for why in &skipped {
            println!("  {why}");
        }
        ensure!(imported == 2 && ages(&pool).await? == [30, 32]);
        let invited: Vec<String> = sqlx::query_scalar("SELECT name FROM invited ORDER BY name")
            .fetch_all(&pool)
            .await?;
        ensure!(invited == ["anna", "carl"]);

        // An error of another kind is not swallowed, and nothing at all is imported.
        sqlx::raw_sql("ALTER TABLE person RENAME TO people")
            .execute(&pool)
            .await?;
        let refused = import(&pool, &[("dora", 33)]).await;
        ensure!(refused.is_err_and(|error| error.to_string().contains("no such table")));
        sqlx::raw_sql("ALTER TABLE people RENAME TO person")
            .execute(&pool)
            .await?;
        println!("an error that is no broken rule was raised");

        // Somebody else writes, until we have tried three times.
        let mut somebody = Some(pool.begin_with("BEGIN IMMEDIATE").await?);
        let aged = celebrate(&pool, async |attempt| {
            println!("attempt {attempt}: the database is busy");
            if attempt == 3 {
                drop(somebody.take());
            }
            tokio::time::sleep(Duration::from_millis(10) * attempt).await;
        })
        .await?;
        println!("then {aged} people had their birthday, once");
        ensure!(ages(&pool).await? == [31, 33]);

        // Nobody gives way: the last error is the caller's.
        let somebody = pool.begin_with("BEGIN IMMEDIATE").await?;
        let gave_up = celebrate(&pool, async |_| {}).await;
        ensure!(gave_up.is_err_and(|error| is_busy(&error)));
        println!("and after five attempts one gives up");
        drop(somebody);
        pool.close().await;
    });
    Ok(())
}

async fn ages(pool: &SqlitePool) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("SELECT age FROM person ORDER BY name")
        .fetch_all(pool)
        .await
}
