use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use guard_core::{async_context, async_with, yield_resource};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::Error;
use super::cache::{Cache, cache};

/// How to run the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file with the database. It is made if it is not there.
    pub database: PathBuf,
    /// The statements that make the tables, if they are not there.
    pub schema: &'static str,
    /// The most connections that the pool may have.
    pub connections: u32,
    /// How long the cache keeps a value.
    pub keep: Duration,
    /// How long a request may still run after the service was told to stop.
    pub grace: Duration,
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct App {
    /// The database. Handlers use [`Session`](super::Session), which gives each request a transaction.
    pub pool: SqlitePool,
    /// What was read lately.
    pub cache: Cache,
    /// For the monitoring.
    pub sessions: Arc<Sessions>,
}

/// How many sessions there have been, and how they ended.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Transactions that were begun.
    pub begun: AtomicUsize,
    /// Those that were committed.
    pub committed: AtomicUsize,
    /// Those that were not, whatever the reason.
    pub rolled_back: AtomicUsize,
}

/// The application's own context: opens the pool and the cache, and closes them, last in first out.
///
/// If the second cannot be opened, the first is closed.
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
    // Waits for connections that are in use, also for those of cancelled requests.
    pool.close().await;
    Ok(())
}
