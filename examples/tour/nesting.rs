//! Nested contexts: each one uses the one before, and they exit in reverse order.

use std::path::PathBuf;

use guard_core::{async_context, async_with, yield_resource};
use guard_examples::files::{temporary_directory, temporary_file};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::io::AsyncWriteExt;

use crate::transactions::{count, database, insert, transaction};
use crate::transcript::Transcript;

/// A context made of contexts: a database with its tables, and a transaction in it.
///
/// The inner contexts get the outcome of the outer one: if the caller fails, the transaction is rolled back.
#[async_context]
async fn fresh_ledger(file: PathBuf) -> sqlx::Result<Transaction<'static, Sqlite>> {
    async_with!(pool = database(file)?, tx = transaction(pool.clone())?, {
        sqlx::query("CREATE TABLE entry (amount INTEGER NOT NULL)")
            .execute(&mut **tx)
            .await?;
        yield_resource!(*tx);
    });
    Ok(())
}

pub(crate) async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    transcript.section("Nested contexts: a directory, a file in it, a database in it");

    let paths = async_with!(
        directory = temporary_directory()?,
        notes = temporary_file(directory.path().join("notes.txt"))?,
        pool = database(directory.path().join("ledger.db"))?,
        {
            notes
                .file
                .write_all(b"the database is next to me\n")
                .await?;
            notes.file.flush().await?;
            sqlx::query("CREATE TABLE entry (amount INTEGER NOT NULL)")
                .execute(&*pool)
                .await?;
            let there = [
                directory.path().to_owned(),
                notes.path.clone(),
                directory.path().join("ledger.db"),
            ];
            transcript.check(
                there.iter().all(|path| path.exists()),
                "inside the block all three are there",
            );
            there
        }
    );
    let gone = !paths.iter().any(|path| path.exists());
    transcript.check(gone, "after it they are gone, the inner ones first");

    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("ledger.db");
        async_with!(tx = fresh_ledger(file.clone())?, {
            insert(tx, 7).await?;
        });
        let reopened = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
        let rows = count(&reopened).await?;
        reopened.close().await;
        transcript.check(rows == 1, "contexts made of contexts: commit, then close");

        let file = directory.path().join("other.db");
        let failed = failing_ledger(file.clone()).await;
        let reopened = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
        let table = sqlx::query("SELECT * FROM entry")
            .fetch_optional(&reopened)
            .await;
        reopened.close().await;
        transcript.check(
            failed.is_err() && table.is_err(),
            "and an error outside rolls back inside: not even the table is there",
        );
    });
    Ok(())
}

async fn failing_ledger(file: PathBuf) -> anyhow::Result<()> {
    async_with!(tx = fresh_ledger(file)?, {
        let rows = insert(tx, 7).await?;
        anyhow::ensure!(rows > 1, "one row is not enough");
    });
    Ok(())
}
