//! Steps of a transaction that end in every way, and are cancelled at every point.

#[path = "support/poll_until.rs"]
mod poll_until;

use anyhow::{anyhow, bail, ensure};
use guard_core::testing::cancel_at_every_poll;
use guard_core::{async_context, async_with, within, yield_resource};
use guard_examples::files::temporary_directory;
use guard_examples::savepoint::{SharedTransaction, shared_transaction, step};
use poll_until::poll_until;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, query, query_scalar};

/// A database with a single connection: what one use leaves open, the next one would see.
#[async_context]
async fn database() -> anyhow::Result<SqlitePool> {
    // Not in memory: sqlx closes a connection that is being tested when `acquire` is cancelled.
    async_with!(directory = temporary_directory()?, {
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("notes.db"))
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Off);
        let mut pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(options);
        query("CREATE TABLE note (text TEXT)")
            .execute(&pool)
            .await?;
        yield_resource!(pool);
        pool.close().await;
    });
    Ok(())
}

async fn insert(db: &mut SqliteConnection, text: &str) -> sqlx::Result<()> {
    query("INSERT INTO note VALUES (?)")
        .bind(text)
        .execute(db)
        .await?;
    Ok(())
}

/// The rows, which are deleted.
async fn take_rows(pool: &SqlitePool) -> sqlx::Result<Vec<String>> {
    query_scalar("DELETE FROM note RETURNING text")
        .fetch_all(pool)
        .await
}

async fn one_row(transaction: &SharedTransaction<Sqlite>, text: &str) -> sqlx::Result<()> {
    async_with!(db = transaction.step()?, {
        insert(db, text).await?;
    });
    Ok(())
}

async fn two_rows(transaction: &SharedTransaction<Sqlite>) -> sqlx::Result<()> {
    async_with!(db = transaction.step()?, {
        insert(db, "step").await?;
        insert(db, "step").await?;
    });
    Ok(())
}

#[tokio::test]
#[within(pool = database()?)]
async fn a_step_cancelled_at_any_poll_is_undone_alone() -> anyhow::Result<()> {
    let mut undone = 0;
    for polls in 0.. {
        let ended = async_with!(transaction = shared_transaction(pool.clone())?, {
            one_row(transaction, "before").await?;
            let ended = poll_until(two_rows(transaction), |polled| polled == polls).await;
            one_row(transaction, "after").await?;
            ended
        });
        let rows = take_rows(pool).await?;
        // Also where the use was dropped while it ended, the step is there as a whole.
        match rows.len() {
            2 => {
                assert_eq!(rows, ["before", "after"]);
                undone += 1;
            }
            _ => assert_eq!(rows, ["before", "step", "step", "after"]),
        }
        if let Some(ended) = ended {
            ended?;
            assert_eq!(rows.len(), 4);
            break;
        }
    }
    assert!(undone > 0);
    Ok(())
}

#[tokio::test]
#[within(pool = database()?)]
async fn a_transaction_cancelled_at_any_poll_is_undone_with_its_steps() -> anyhow::Result<()> {
    cancel_at_every_poll(
        async || {
            async_with!(transaction = shared_transaction(pool.clone())?, {
                one_row(transaction, "before").await?;
                two_rows(transaction).await?;
            });
            anyhow::Ok(())
        },
        async |cut| {
            let rows = take_rows(pool).await?;
            ensure!(matches!(rows.len(), 0 | 3), "{rows:?} are left");
            ensure!(!rows.is_empty() || !cut.is_end(), "nothing is committed");
            ensure!(cut.reports().is_empty(), "an error was lost");
            Ok(())
        },
    )
    .await
}

#[tokio::test]
#[within(pool = database()?)]
async fn a_step_that_panics_is_undone_alone() -> anyhow::Result<()> {
    async_with!(transaction = shared_transaction(pool.clone())?, {
        one_row(transaction, "before").await?;
        let panicking = {
            let transaction = transaction.clone();
            async move {
                async_with!(db = transaction.step()?, {
                    insert(db, "step").await?;
                    panic_as_expected();
                });
                anyhow::Ok(())
            }
        };
        ensure!(tokio::spawn(panicking).await.unwrap_err().is_panic());
        one_row(transaction, "after").await?;
    });
    assert_eq!(take_rows(pool).await?, ["before", "after"]);
    Ok(())
}

/// Panics. In a separate function, so that the code after the call is not unreachable for the compiler.
fn panic_as_expected() {
    panic!("expected");
}

#[tokio::test]
#[within(pool = database()?)]
async fn a_step_of_a_transaction_that_has_ended_is_an_error() -> anyhow::Result<()> {
    let kept = async_with!(transaction = shared_transaction(pool.clone())?, {
        transaction.clone()
    });
    let late = one_row(&kept, "late").await.unwrap_err();
    assert!(late.to_string().contains("has ended"), "{late}");
    Ok(())
}

#[tokio::test]
#[within(pool = database()?)]
async fn a_step_in_a_step_is_undone_alone_and_with_the_outer_one() -> anyhow::Result<()> {
    async_with!(transaction = shared_transaction(pool.clone())?, {
        async_with!(db = transaction.step()?, {
            insert(db, "outer").await?;
            let failed: anyhow::Result<()> = async_with!(attempt(db = step(db)?), {
                insert(db, "inner").await?;
                bail!("expected");
            });
            ensure!(failed.is_err());
        });
        let failed: anyhow::Result<()> = async_with!(attempt(db = transaction.step()?), {
            async_with!(db = step(db)?, {
                insert(db, "released, and then undone").await?;
            });
            Err(anyhow!("expected"))?;
        });
        ensure!(failed.is_err());
    });
    assert_eq!(take_rows(pool).await?, ["outer"]);
    Ok(())
}
