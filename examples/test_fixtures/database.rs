//! Databases for tests. Each test has its own, which is dropped however the test ends.

use guard_core::{async_context, async_with, yield_resource};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, SqlitePool, query};
use uuid::Uuid;

/// The tables of a new database.
const SCHEMA: &str = "CREATE TABLE guest (name VARCHAR(80) NOT NULL)";

/// A SQLite database in a temporary directory.
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

/// A database with a unique name on the PostgreSQL server at a URL.
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

/// A separate context, so that the database is also dropped if its tables cannot be created.
#[async_context]
async fn empty_database_on(server: String) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = server.parse()?;
    let mut admin = PgConnection::connect_with(&options).await?;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let create = format!("CREATE DATABASE {name}");
    query(AssertSqlSafe(create)).execute(&mut admin).await?;

    // The pool connects when it is used, so nothing can fail before the yield.
    let mut pool = PgPoolOptions::new().connect_lazy_with(options.database(&name));
    yield_resource!(pool);

    pool.close().await;
    // With force, because a test may have lost a connection.
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    query(AssertSqlSafe(drop)).execute(&mut admin).await?;
    admin.close().await
}
