//! Databases for tests: one for each, dropped when the test ends, however it ends.

use guard_core::{async_context, async_with, yield_resource};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqlitePool, query};
use uuid::Uuid;

/// What a new database has in it.
const SCHEMA: &str = "CREATE TABLE guest (name VARCHAR(80) NOT NULL)";

/// A database of SQLite, in a temporary directory.
///
/// # Errors
///
/// The database cannot be made, or its directory cannot be removed.
#[async_context]
pub async fn test_database() -> anyhow::Result<SqlitePool> {
    let directory = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true);
    let mut pool = SqlitePool::connect_with(options).await?;
    query(SCHEMA).execute(&pool).await?;
    yield_resource!(pool);
    pool.close().await;
    directory.close()?;
    Ok(())
}

/// A database on the PostgreSQL server at a URL, under a name of its own.
///
/// # Errors
///
/// The server cannot be reached, or the user may not create databases there.
#[async_context]
pub async fn test_database_on(server: String) -> anyhow::Result<PgPool> {
    async_with!(pool = empty_database_on(server)?, {
        query(SCHEMA).execute(&*pool).await?;
        yield_resource!(*pool);
    });
    Ok(())
}

/// A context of its own, so that the database is also dropped if it cannot be filled.
#[async_context]
async fn empty_database_on(server: String) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = server.parse()?;
    let mut admin = PgConnection::connect_with(&options).await?;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let create = format!("CREATE DATABASE {name}");
    query(AssertSqlSafe(create)).execute(&mut admin).await?;

    // It connects when it is used. Nothing that can fail stands before the yield.
    let mut pool = PgPoolOptions::new().connect_lazy_with(options.database(&name));
    yield_resource!(pool);

    pool.close().await;
    // By force, for the sake of a test that has lost a connection.
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    query(AssertSqlSafe(drop)).execute(&mut admin).await?;
    admin.close().await
}
