//! Database sessions on SQLite, which needs no server.

#[macro_use]
mod properties;
#[path = "../support/poll_until.rs"]
mod poll_until;
#[path = "../support/run_example.rs"]
mod run_example;

use guard_core::async_with;
use properties::pool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Pool, Sqlite};

async fn with_sqlite(
    property: impl AsyncFnOnce(Pool<Sqlite>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true)
        // In this mode readers do not wait for writers, as on the servers.
        .journal_mode(SqliteJournalMode::Wal);
    async_with!(pool = pool(options)?, {
        property(pool.clone()).await?;
    });
    Ok(())
}

properties!(with_sqlite);

#[test]
fn the_example_prints_its_steps() {
    properties::the_example_prints_its_steps(None);
}
