//! Database sessions on PostgreSQL and MariaDB.

#[macro_use]
mod laws;
#[path = "../support/poll_until.rs"]
mod poll_until;
#[path = "../support/run_example.rs"]
mod run_example;

mod on_postgres {
    use guard_core::{async_with, within};
    use guard_examples::servers::postgres;
    use sqlx::PgPool;

    use crate::laws::{self, pool};

    async fn with_postgres(
        law: impl AsyncFnOnce(PgPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = postgres()?, pool = pool(server.url().parse()?)?, {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(with_postgres);

    #[tokio::test]
    #[within(server = postgres()?)]
    async fn the_example_tells_the_same() -> anyhow::Result<()> {
        laws::the_example_tells_the_same(Some(server.url()));
        Ok(())
    }
}

mod on_mariadb {
    use guard_core::{async_with, within};
    use guard_examples::servers::mariadb;
    use sqlx::MySqlPool;

    use crate::laws::{self, pool};

    async fn with_mariadb(
        law: impl AsyncFnOnce(MySqlPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = mariadb()?, pool = pool(server.url().parse()?)?, {
            law(pool.clone()).await?;
        });
        Ok(())
    }

    laws!(with_mariadb);

    #[tokio::test]
    #[within(server = mariadb()?)]
    async fn the_example_tells_the_same() -> anyhow::Result<()> {
        laws::the_example_tells_the_same(Some(server.url()));
        Ok(())
    }
}
