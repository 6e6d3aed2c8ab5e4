//! The application's state, which a context opens when the service starts and closes when it stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use guard_core::{async_context, async_with, yield_resource};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::Error;
use super::cache::{Cache, cache};

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database file. It is created if it does not exist.
    pub database: PathBuf,
    /// The statements that create the tables if they do not exist.
    pub schema: &'static str,
    /// The greatest number of connections of the pool.
    pub connections: u32,
    /// How long the cache keeps a value.
    pub keep: Duration,
}

/// The state that the handlers share.
#[derive(Clone, Debug)]
pub struct App {
    /// The database. Handlers use [`Session`](super::Session), which gives each request a transaction.
    pub pool: SqlitePool,
    /// Values that were read lately.
    pub cache: Cache,
    /// The numbers for monitoring.
    pub sessions: Arc<Sessions>,
}

/// How many sessions there were, and how they ended.
#[derive(Debug, Default)]
pub struct Sessions {
    /// The number of transactions that were begun.
    pub begun: AtomicUsize,
    /// The number of transactions that were committed.
    pub committed: AtomicUsize,
    /// The number of transactions that were not committed.
    pub rolled_back: AtomicUsize,
}

/// The context of the application: opens the pool and the cache, and closes them, last in first out.
///
/// If the cache cannot be opened, the pool is closed.
#[async_context]
pub async fn lifespan(settings: Settings) -> Result<App, Error> {
    async_with!(
        pool = pool(settings.database, settings.connections)?,
        cache = cache(settings.keep),
        {
            sqlx::raw_sql(settings.schema).execute(&*pool).await?;
            let mut app = App {
                pool: pool.clone(),
                cache: cache.clone(),
                sessions: Arc::default(),
            };
            yield_resource!(app);
        }
    );
    Ok(())
}

/// A pool of connections to one SQLite file.
#[async_context]
async fn pool(file: PathBuf, connections: u32) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal);
    let mut pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .connect_with(options)
        .await?;
    yield_resource!(pool);
    // The pool waits for connections in use, also for those of cancelled requests.
    pool.close().await;
    Ok(())
}
