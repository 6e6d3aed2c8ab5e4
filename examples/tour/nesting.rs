//! Contexts in contexts: each uses the one before, and they end in reverse.

use std::path::PathBuf;

use guard_core::{async_context, async_with, yield_resource};
use guard_examples::files::{temporary_directory, temporary_file};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::io::AsyncWriteExt;

use crate::story::Story;
use crate::transactions::{count, database, insert, transaction};

/// A context made of contexts: a database, opened and set up, and a transaction in it.
///
/// The inner contexts end as the outer one is told to end: if the caller fails, so does the transaction.
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

pub(crate) async fn tell(story: &mut Story) -> anyhow::Result<()> {
    story.section("Nested contexts: a directory, a file in it, a database in it");

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
            story.claim(
                there.iter().all(|path| path.exists()),
                "inside the block all three are there",
            );
            there
        }
    );
    let gone = !paths.iter().any(|path| path.exists());
    story.claim(gone, "after it they are gone, the inner ones first");

    async_with!(directory = temporary_directory()?, {
        let file = directory.path().join("ledger.db");
        async_with!(tx = fresh_ledger(file.clone())?, {
            insert(tx, 7).await?;
        });
        let reopened = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
        let rows = count(&reopened).await?;
        reopened.close().await;
        story.claim(rows == 1, "contexts made of contexts: commit, then close");

        let file = directory.path().join("other.db");
        let failed = failing_ledger(file.clone()).await;
        let reopened = SqlitePool::connect(&format!("sqlite:{}", file.display())).await?;
        let table = sqlx::query("SELECT * FROM entry")
            .fetch_optional(&reopened)
            .await;
        reopened.close().await;
        story.claim(
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
