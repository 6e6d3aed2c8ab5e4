//! A transaction, with every way to end it.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use guard_core::{AsyncContext, Outcome, async_context, async_with, cancellable, yield_resource};
use guard_examples::files::temporary_directory;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::Notify;

use crate::transcript::Transcript;

/// A database in a file. The exit closes it.
#[async_context]
pub(crate) async fn database(file: PathBuf) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let mut pool = SqlitePool::connect_with(options).await?;
    yield_resource!(pool);
    // The pool waits for connections in use.
    pool.close().await;
    Ok(())
}

/// A transaction. The exit commits if the use completed, and rolls back otherwise.
#[async_context]
pub(crate) async fn transaction(pool: SqlitePool) -> sqlx::Result<Transaction<'static, Sqlite>> {
    // A use that is cancelled while it waits for a connection ends at once.
    let connection = cancellable!(pool.acquire())?;
    let mut transaction = Transaction::begin(connection, None).await?;
    match yield_resource!(transaction) {
        Outcome::Completed => transaction.commit().await,
        _ => transaction.rollback().await,
    }
}

pub(crate) async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    transcript.section("A transaction: committed if its use completes, rolled back if not");

    async_with!(
        directory = temporary_directory()?,
        pool = database(directory.path().join("bank.db"))?,
        outside = database(directory.path().join("bank.db"))?,
        {
            sqlx::query("CREATE TABLE entry (amount INTEGER NOT NULL)")
                .execute(&*pool)
                .await?;
            transcript.note(
                "the database is a file; rows are counted from outside, by a pool of its own",
            );

            let value = deposit(pool).await?;
            let rows = count(outside).await?;
            transcript.check(
                value == 1 && rows == 1,
                "the block ends       -> committed, and its value comes out",
            );

            let failed = overdraw(pool).await;
            let rows = count(outside).await?;
            transcript.check(
                failed.is_err() && rows == 1,
                "`?` meets an error   -> rolled back, and the error goes on",
            );

            let early = deposit_unless_closed(pool).await?;
            let rows = count(outside).await?;
            transcript.check(
                early == "closed" && rows == 2,
                "`return` leaves it   -> committed, a return is no failure",
            );

            let task = tokio::spawn(panicking_deposit(pool.clone(), None)).await;
            let panicked = task.is_err_and(|error| error.is_panic());
            let rows = count(outside).await?;
            transcript.check(
                panicked && rows == 2,
                "it panics            -> rolled back, and the panic goes on",
            );

            // A timeout, a `select!` and an aborted task all drop the future.
            let inserted = Notify::new();
            tokio::select! {
                _ = stuck_deposit(pool, &inserted) => {}
                () = inserted.notified() => {}
            }
            guard_core::drain().await;
            let rows = count(outside).await?;
            transcript.check(
                rows == 2,
                "it is cancelled      -> rolled back, in the background",
            );

            // The same as an expression, in the form that returns every error.
            let result = transaction(pool.clone())
                .try_with(async |transaction| {
                    insert(transaction, 1).await?;
                    anyhow::Ok(count_within(transaction).await?)
                })
                .await;
            transcript.check(
                result.is_ok_and(|seen| seen == 3),
                "the same without a macro: `transaction(…).try_with(async |tx| …)`",
            );
        }
    );
    Ok(())
}

async fn deposit(pool: &SqlitePool) -> anyhow::Result<u64> {
    let inserted = async_with!(tx = transaction(pool.clone())?, { insert(tx, 10).await? });
    Ok(inserted)
}

async fn overdraw(pool: &SqlitePool) -> anyhow::Result<()> {
    async_with!(tx = transaction(pool.clone())?, {
        insert(tx, -100).await?;
        let balance = sqlx::query_scalar::<_, i64>("SELECT SUM(amount) FROM entry")
            .fetch_one(&mut **tx)
            .await?;
        ensure!(balance >= 0, "the account is overdrawn: {balance}");
    });
    Ok(())
}

async fn deposit_unless_closed(pool: &SqlitePool) -> anyhow::Result<&'static str> {
    for day in ["Friday", "Saturday", "Sunday"] {
        async_with!(tx = transaction(pool.clone())?, {
            if day == "Friday" {
                continue;
            }
            insert(tx, 10).await?;
            if day == "Saturday" {
                return Ok("closed");
            }
        });
    }
    bail!("there was no Saturday")
}

async fn panicking_deposit(pool: SqlitePool, paper: Option<&'static str>) -> sqlx::Result<()> {
    async_with!(tx = transaction(pool)?, {
        insert(tx, 10).await?;
        paper.expect("there should be paper in the printer");
    });
    Ok(())
}

async fn stuck_deposit(pool: &SqlitePool, inserted: &Notify) -> sqlx::Result<()> {
    async_with!(tx = transaction(pool.clone())?, {
        insert(tx, 10).await?;
        inserted.notify_one();
        std::future::pending::<()>().await;
    });
    Ok(())
}

pub(crate) async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    amount: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query("INSERT INTO entry VALUES (?)")
        .bind(amount)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected())
}

async fn count_within(transaction: &mut Transaction<'static, Sqlite>) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM entry")
        .fetch_one(&mut **transaction)
        .await
}

/// The rows that are committed.
pub(crate) async fn count(pool: &SqlitePool) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM entry")
        .fetch_one(pool)
        .await
}
