//! A context that swallows some errors, and a context that is entered again until it succeeds.
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

/// A part of a transaction that may fail. If it violates a constraint of the table, only this part is undone.
/// It returns every other error.
///
/// With `catch` the context gets the error itself, and its return value decides. It is `scoped` because it
/// borrows. When it is cancelled, the transaction around it undoes everything.
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

/// Imports all valid rows in one transaction. Returns how many, and the messages of the others.
async fn import(pool: &SqlitePool, ages: &[(&str, i64)]) -> sqlx::Result<(usize, Vec<String>)> {
    let mut imported = 0;
    let mut skipped = Vec::new();
    async_with!(connection = session(pool.clone())?, {
        for &(name, age) in ages {
            let done = optional_step(connection, &mut skipped)
                .catch(async |connection| {
                    // The first insert is undone if the second one fails.
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
            // `None` means that the error was swallowed.
            imported += usize::from(done.is_some());
        }
    });
    Ok((imported, skipped))
}

/// Adds a year to everybody's age, and tries again while another connection writes.
///
/// A context can be used once. The call that makes it can be repeated, so each attempt is a new session, and
/// a failed one leaves nothing.
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
            // SQLite does not wait, so that the example is quick. In a service, SQLite should wait first.
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

        // An error of another kind is not swallowed, and nothing is imported.
        sqlx::raw_sql("ALTER TABLE person RENAME TO people")
            .execute(&pool)
            .await?;
        let refused = import(&pool, &[("dora", 33)]).await;
        ensure!(refused.is_err_and(|error| error.to_string().contains("no such table")));
        sqlx::raw_sql("ALTER TABLE people RENAME TO person")
            .execute(&pool)
            .await?;
        println!("an error that is no broken rule was raised");

        // Another connection writes until the third attempt.
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

        // The other connection does not end, so the caller gets the last error.
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
