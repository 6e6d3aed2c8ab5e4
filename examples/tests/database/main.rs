//! Database sessions on SQLite, and with the feature `services` on PostgreSQL and MariaDB.

mod laws;

use guard_core::{async_context, async_with, yield_resource};
use laws::{CONNECTIONS, Statements};
use sqlx::Pool;
use sqlx::pool::PoolOptions;

/// A pool for one of the laws.
#[async_context]
async fn pool<DB: Statements>(url: String) -> anyhow::Result<Pool<DB>> {
    let options = PoolOptions::new().max_connections(CONNECTIONS);
    let mut pool = options.connect_lazy(&url)?;
    laws::prepare(&pool).await?;
    yield_resource!(pool);
    pool.close().await;
    Ok(())
}

/// One test for each law, by a function that takes the law and calls it with a pool.
macro_rules! laws {
    ($with_pool:ident: $($law:ident,)*) => {$(
        #[tokio::test]
        async fn $law() -> anyhow::Result<()> {
            $with_pool(laws::$law).await
        }
    )*};
    ($with_pool:ident) => {
        laws! {
            $with_pool:
            a_body_that_succeeds_is_committed,
            a_body_that_fails_is_rolled_back,
            a_body_whose_statement_fails_is_rolled_back,
            a_body_that_panics_is_rolled_back,
            a_cancelled_body_is_rolled_back,
            a_savepoint_is_rolled_back_alone,
            a_session_that_waits_for_a_connection_can_be_cancelled,
            a_thousand_sessions_cancelled_at_random_points_leave_no_trace,
        }
    };
}

mod on_sqlite {
    use super::*;
    use sqlx::Sqlite;

    async fn on_sqlite(
        law: impl AsyncFnOnce(Pool<Sqlite>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite://{}/test.db?mode=rwc", directory.path().display());
        async_with!(pool = pool(url)? => {
            // Readers do not wait for writers in this mode, as with the servers.
            sqlx::query("PRAGMA journal_mode = WAL").execute(&*pool).await?;
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(on_sqlite);
}

#[cfg(feature = "services")]
mod on_postgres {
    use super::*;
    use guard_examples::servers::postgres;
    use sqlx::Postgres;

    async fn on_postgres(
        law: impl AsyncFnOnce(Pool<Postgres>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = postgres()?, pool = pool(server.url().to_owned())? => {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(on_postgres);
}

#[cfg(feature = "services")]
mod on_mariadb {
    use super::*;
    use guard_examples::servers::mariadb;
    use sqlx::MySql;

    async fn on_mariadb(
        law: impl AsyncFnOnce(Pool<MySql>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = mariadb()?, pool = pool(server.url().to_owned())? => {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(on_mariadb);
}
