//! Database sessions on SQLite, which needs no server.

#[macro_use]
mod laws;
#[path = "../support/poll_until.rs"]
mod poll_until;
#[path = "../support/run_example.rs"]
mod run_example;

use guard_core::async_with;
use laws::pool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Pool, Sqlite};

async fn with_sqlite(
    law: impl AsyncFnOnce(Pool<Sqlite>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true)
        // Readers do not wait for writers in this mode, as with the servers.
        .journal_mode(SqliteJournalMode::Wal);
    async_with!(pool = pool(options)?, {
        law(pool.clone()).await?;
    });
    Ok(())
}

laws!(with_sqlite);

#[test]
fn the_example_tells_the_same() {
    laws::the_example_tells_the_same(None);
}
