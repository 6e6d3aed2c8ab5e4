//! A database session that commits on success, and rolls back on an error, a panic or a cancellation.
//!
//! The context is in `session.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example database                  # SQLite, in a temporary directory
//! cargo run -p guard-examples --example database -- postgres://user:password@localhost/database
//! cargo run -p guard-examples --example database -- mysql://user:password@localhost/database
//! ```

use std::env;
use std::future::pending;
use std::time::Duration;

use anyhow::ensure;
use guard_core::{async_with, drain};
use guard_examples::session::session;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, query, query_scalar};
use tokio::time::timeout;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let url = env::args().nth(1).unwrap_or_else(|| {
        let file = directory.path().join("bank.db");
        format!("sqlite://{}?mode=rwc", file.display())
    });
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(&url).await?;
    query("CREATE TABLE guard_accounts (name VARCHAR(9), balance BIGINT)")
        .execute(&pool)
        .await?;
    let outcome = run(&pool).await;
    query("DROP TABLE guard_accounts").execute(&pool).await?;
    pool.close().await;
    outcome
}

async fn run(pool: &AnyPool) -> anyhow::Result<()> {
    async_with!(db = session(pool.clone())?, {
        query("INSERT INTO guard_accounts VALUES ('ann', 100), ('bob', 0)")
            .execute(&mut *db)
            .await?;
    });
    show("at first", pool, [100, 0]).await?;

    transfer(pool.clone(), 30, Trouble::None).await?;
    show("30 transferred", pool, [70, 30]).await?;

    let error = transfer(pool.clone(), 500, Trouble::None)
        .await
        .unwrap_err();
    show(&format!("500 not transferred, {error}"), pool, [70, 30]).await?;

    let panicking = tokio::spawn(transfer(pool.clone(), 20, Trouble::Panic));
    ensure!(panicking.await.is_err_and(|error| error.is_panic()));
    show("20 not transferred, a panic in between", pool, [70, 30]).await?;

    let slow = transfer(pool.clone(), 20, Trouble::Delay);
    ensure!(timeout(Duration::from_millis(50), slow).await.is_err());
    // The rollback runs in the background. The program waits for it only to show its effect.
    drain().await;
    show("20 not transferred, a time-out in between", pool, [70, 30]).await
}

/// What happens between the two halves of a transfer.
#[derive(PartialEq)]
enum Trouble {
    None,
    Panic,
    Delay,
}

async fn transfer(pool: AnyPool, amount: i64, trouble: Trouble) -> anyhow::Result<()> {
    async_with!(db = session(pool)?, {
        add(db, "ann", -amount).await?;
        assert!(
            trouble != Trouble::Panic,
            "between the two halves of a transfer"
        );
        if trouble == Trouble::Delay {
            pending::<()>().await;
        }
        add(db, "bob", amount).await?;
        ensure!(balance(db, "ann").await? >= 0, "ann cannot pay that");
    });
    Ok(())
}

async fn add(db: &mut AnyConnection, name: &str, amount: i64) -> sqlx::Result<()> {
    let change =
        format!("UPDATE guard_accounts SET balance = balance + ({amount}) WHERE name = '{name}'");
    // Each database has its own syntax for parameters. These two values are safe to insert into the text.
    query(AssertSqlSafe(change)).execute(db).await?;
    Ok(())
}

async fn balance(db: &mut AnyConnection, name: &str) -> sqlx::Result<i64> {
    let balance = format!("SELECT balance FROM guard_accounts WHERE name = '{name}'");
    query_scalar(AssertSqlSafe(balance)).fetch_one(db).await
}

/// Prints the balances, as another connection sees them, and checks them.
async fn show(what: &str, pool: &AnyPool, expected: [i64; 2]) -> anyhow::Result<()> {
    let mut db = pool.acquire().await?;
    let [ann, bob] = [
        balance(&mut db, "ann").await?,
        balance(&mut db, "bob").await?,
    ];
    println!("{what}: ann {ann}, bob {bob}");
    ensure!(
        [ann, bob] == expected,
        "the balances should be {expected:?}"
    );
    Ok(())
}
