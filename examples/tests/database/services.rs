//! Database sessions on PostgreSQL and MariaDB.

#[macro_use]
mod properties;
#[path = "../support/poll_until.rs"]
mod poll_until;
#[path = "../support/run_example.rs"]
mod run_example;

mod on_postgres {
    use guard_core::{async_with, within};
    use guard_examples::servers::postgres;
    use sqlx::PgPool;

    use crate::properties::{self, pool};

    async fn with_postgres(
        property: impl AsyncFnOnce(PgPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = postgres()?, pool = pool(server.url().parse()?)?, {
            property(pool.clone()).await?;
        });
        Ok(())
    }

    properties!(with_postgres);

    #[tokio::test]
    #[within(server = postgres()?)]
    async fn the_example_prints_its_steps() -> anyhow::Result<()> {
        properties::the_example_prints_its_steps(Some(server.url()));
        Ok(())
    }
}

mod on_mariadb {
    use guard_core::{async_with, within};
    use guard_examples::servers::mariadb;
    use sqlx::MySqlPool;

    use crate::properties::{self, pool};

    async fn with_mariadb(
        property: impl AsyncFnOnce(MySqlPool) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        async_with!(server = mariadb()?, pool = pool(server.url().parse()?)?, {
            property(pool.clone()).await?;
        });
        Ok(())
    }

    properties!(with_mariadb);

    #[tokio::test]
    #[within(server = mariadb()?)]
    async fn the_example_prints_its_steps() -> anyhow::Result<()> {
        properties::the_example_prints_its_steps(Some(server.url()));
        Ok(())
    }
}
