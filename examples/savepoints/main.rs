//! Savepoints: steps of a transaction that fail, or are cancelled, without the rest.
//!
//! The contexts are in `savepoint.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example savepoints
//! ```

use std::future::pending;
use std::time::Duration;

use anyhow::ensure;
use guard_core::{async_with, drain};
use guard_examples::files::temporary_directory;
use guard_examples::savepoint::{SharedTransaction, shared_transaction, step};
use guard_examples::session::session;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, query, query_scalar};
use tokio::time::timeout;

/// After this time a step that waits for ever is cancelled.
const LIMIT: Duration = Duration::from_millis(20);

async fn insert(db: &mut SqliteConnection, text: &str) -> sqlx::Result<()> {
    query("INSERT INTO note VALUES (?)")
        .bind(text)
        .execute(db)
        .await?;
    Ok(())
}

/// Prints the rows that were committed, and deletes them.
async fn show(pool: &SqlitePool, what: &str, expected: &[&str]) -> anyhow::Result<()> {
    let rows: Vec<String> = query_scalar("SELECT text FROM note ORDER BY rowid")
        .fetch_all(pool)
        .await?;
    println!("{what}: {rows:?}");
    ensure!(rows == expected, "it should be {expected:?}");
    query("DELETE FROM note").execute(pool).await?;
    Ok(())
}

/// A step that fails, in a transaction that goes on.
async fn failing(pool: &SqlitePool) -> anyhow::Result<()> {
    async_with!(db = session(pool.clone())?, {
        insert(db, "before").await?;
        let failed: anyhow::Result<()> = async_with!(attempt(db = step(db)?), {
            insert(db, "in the step").await?;
            ensure!(1 > 2, "expected");
        });
        ensure!(failed.is_err());
        insert(db, "after").await?;
    });
    show(pool, "a step that failed", &["before", "after"]).await
}

/// Waits for ever in a step.
async fn stuck(transaction: &SharedTransaction<Sqlite>) -> anyhow::Result<()> {
    async_with!(db = transaction.step()?, {
        insert(db, "stuck").await?;
        pending::<()>().await;
    });
    Ok(())
}

async fn quick(transaction: &SharedTransaction<Sqlite>, text: &str) -> anyhow::Result<()> {
    async_with!(db = transaction.step()?, {
        insert(db, text).await?;
    });
    Ok(())
}

/// A step that is cancelled, in a transaction that goes on.
async fn cancelled(pool: &SqlitePool) -> anyhow::Result<()> {
    async_with!(transaction = shared_transaction(pool.clone())?, {
        quick(transaction, "before").await?;
        ensure!(timeout(LIMIT, stuck(transaction)).await.is_err());
        // The rollback goes on in the background. This step waits for it.
        quick(transaction, "after").await?;
    });
    show(pool, "a step that was cancelled", &["before", "after"]).await
}

/// The transaction ends while a step is rolled back. Its commit waits.
async fn cancelled_last(pool: &SqlitePool) -> anyhow::Result<()> {
    async_with!(transaction = shared_transaction(pool.clone())?, {
        quick(transaction, "before").await?;
        ensure!(timeout(LIMIT, stuck(transaction)).await.is_err());
    });
    show(pool, "a last step that was cancelled", &["before"]).await
}

/// Steps that run side by side. One is cancelled.
async fn side_by_side(pool: &SqlitePool) -> anyhow::Result<()> {
    async_with!(transaction = shared_transaction(pool.clone())?, {
        let transaction = &*transaction;
        let (first, cut_off, third) = tokio::join!(
            quick(transaction, "first"),
            timeout(LIMIT, stuck(transaction)),
            // This one has to wait until the second is rolled back.
            quick(transaction, "third"),
        );
        first?;
        ensure!(cut_off.is_err());
        third?;
    });
    show(pool, "steps side by side", &["first", "third"]).await
}

/// The transaction is cancelled while it is in a step. The step is undone first, and then the transaction.
async fn both_cancelled(pool: &SqlitePool) -> anyhow::Result<()> {
    let both = async {
        async_with!(transaction = shared_transaction(pool.clone())?, {
            quick(transaction, "first").await?;
            stuck(transaction).await?;
        });
        anyhow::Ok(())
    };
    ensure!(timeout(LIMIT, both).await.is_err());
    drain().await;
    show(pool, "a transaction that was cancelled", &[]).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    async_with!(directory = temporary_directory()?, {
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("notes.db"))
            .create_if_missing(true);
        // A single connection: what one use leaves open, the next one would see.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        query("CREATE TABLE note (text TEXT)")
            .execute(&pool)
            .await?;
        failing(&pool).await?;
        cancelled(&pool).await?;
        cancelled_last(&pool).await?;
        side_by_side(&pool).await?;
        both_cancelled(&pool).await?;
        pool.close().await;
    });
    Ok(())
}
