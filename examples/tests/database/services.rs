//! Database sessions on PostgreSQL and MariaDB.

#[macro_use]
mod laws;
#[path = "../support/poll_until.rs"]
mod poll_until;

mod on_postgres {
    use guard_core::async_with;
    use guard_examples::servers::postgres;
    use sqlx::PgPool;

    use crate::laws::pool;

    async fn with_postgres(
        law: impl AsyncFnOnce(PgPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = postgres()?, pool = pool(server.url().parse()?)? => {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(with_postgres);
}

mod on_mariadb {
    use guard_core::async_with;
    use guard_examples::servers::mariadb;
    use sqlx::MySqlPool;

    use crate::laws::pool;

    async fn with_mariadb(
        law: impl AsyncFnOnce(MySqlPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = mariadb()?, pool = pool(server.url().parse()?)? => {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(with_mariadb);
}
