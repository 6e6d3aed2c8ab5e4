//! Tests with a database each, on a server that is a fixture too.
//!
//! ```sh
//! cargo test -p guard-examples --features services --test test_fixtures_services
//! ```

use anyhow::ensure;
use guard_core::testing::cancel_at_every_poll;
use guard_core::{AsyncContext, async_with, within};
use guard_examples::servers::postgres;
use guard_examples::test_database::test_database_on;
use sqlx::{Connection, PgConnection, PgPool, query, query_scalar};

async fn check_in(db: &PgPool, name: &str) -> sqlx::Result<()> {
    query("INSERT INTO guest VALUES ($1)")
        .bind(name)
        .execute(db)
        .await?;
    Ok(())
}

async fn guests(db: &PgPool) -> sqlx::Result<Vec<String>> {
    query_scalar("SELECT name FROM guest").fetch_all(db).await
}

#[tokio::test]
#[within(server = postgres()?, db = test_database_on(server.url().to_owned())?)]
async fn a_guest_is_found() -> anyhow::Result<()> {
    check_in(db, "Ada").await?;
    assert_eq!(guests(db).await?, ["Ada"]);
    Ok(())
}

#[tokio::test]
#[within(server = postgres()?)]
async fn two_databases_on_a_server_are_separate() -> anyhow::Result<()> {
    let url = || server.url().to_owned();
    async_with!(
        one = test_database_on(url())?,
        other = test_database_on(url())?,
        {
            check_in(one, "Ada").await?;
            check_in(other, "Grace").await?;
            assert_eq!(guests(one).await?, ["Ada"]);
            assert_eq!(guests(other).await?, ["Grace"]);
        }
    );
    assert_eq!(databases(server.url()).await?, 0);
    Ok(())
}

#[tokio::test]
#[within(server = postgres()?)]
async fn the_database_is_dropped_after_a_panic_and_with_a_connection_in_use() -> anyhow::Result<()>
{
    let url = server.url().to_owned();
    let panicking = test_database_on(url.clone()).with(async move |db| -> anyhow::Result<()> {
        check_in(db, "Ada").await?;
        assert_eq!(databases(&url).await?, 1);
        // A connection outside the pool, because the pool waits for its own.
        let connection = PgConnection::connect_with(&db.connect_options()).await?;
        std::mem::forget(connection);
        panic!("expected")
    });
    assert!(tokio::spawn(panicking).await.unwrap_err().is_panic());
    assert_eq!(databases(server.url()).await?, 0);
    Ok(())
}

#[tokio::test]
#[within(server = postgres()?)]
async fn the_database_is_dropped_after_a_test_that_is_cut_at_any_point() -> anyhow::Result<()> {
    cancel_at_every_poll(
        async || {
            async_with!(db = test_database_on(server.url().to_owned())?, {
                check_in(db, "Ada").await?;
            });
            anyhow::Ok(())
        },
        async |cut| {
            let left = databases(server.url()).await?;
            ensure!(left == 0, "{left} databases are left");
            ensure!(cut.reports().is_empty(), "an error was lost");
            Ok(())
        },
    )
    .await
}

/// The number of test databases.
async fn databases(server: &str) -> sqlx::Result<i64> {
    let mut db = PgConnection::connect(server).await?;
    let count = "SELECT COUNT(*) FROM pg_database WHERE datname LIKE 'test\\_%'";
    query_scalar(count).fetch_one(&mut db).await
}
