//! The properties of a database session, for every database.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{StreamExt, stream};
use guard_core::testing::cancel_at_every_poll;
use guard_core::{AsyncContext, async_context, async_with, drain, yield_resource};
use guard_examples::session::session;
use sqlx::pool::PoolOptions;
use sqlx::{Connection, Database, MySql, Pool, Postgres, Sqlite};
use tokio::time::{sleep, timeout};

use crate::poll_until::poll_until;
use crate::run_example::run_example;

/// One test for each property, run by a function that takes the property and calls it with a pool.
macro_rules! properties {
    ($with_pool:ident: $($property:ident,)*) => {$(
        #[tokio::test]
        async fn $property() -> anyhow::Result<()> {
            $with_pool($crate::properties::$property).await
        }
    )*};
    ($with_pool:ident) => {
        properties! {
            $with_pool:
            a_body_that_succeeds_is_committed,
            a_body_that_fails_is_rolled_back,
            a_body_whose_statement_fails_is_rolled_back,
            a_body_that_panics_is_rolled_back,
            a_cancelled_body_is_rolled_back,
            a_savepoint_is_rolled_back_alone,
            a_session_cancelled_at_any_poll_leaves_nothing,
            a_session_that_waits_for_a_connection_can_be_cancelled,
            a_thousand_sessions_cancelled_at_random_points_leave_no_trace,
        }
    };
}

/// The greatest number of connections of a pool.
const CONNECTIONS: u32 = 4;

/// The statements of the tests, which are the same for every database.
pub trait Statements: Database {
    /// Runs a statement.
    fn run(
        db: &mut Self::Connection,
        statement: String,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// The number of rows of each session.
    fn rows(
        db: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<BTreeMap<i64, i64>>> + Send;

    /// The number of transactions that are open on the server, apart from the caller's.
    fn open_transactions(
        db: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<i64>> + Send;
}

macro_rules! statements {
    ($($database:ident: $open_transactions:literal,)*) => {$(
        impl Statements for $database {
            async fn run(db: &mut Self::Connection, statement: String) -> sqlx::Result<()> {
                sqlx::query(sqlx::AssertSqlSafe(statement)).execute(db).await?;
                Ok(())
            }

            async fn rows(db: &mut Self::Connection) -> sqlx::Result<BTreeMap<i64, i64>> {
                let rows = sqlx::query_as("SELECT session, COUNT(*) FROM entries GROUP BY session");
                let rows: Vec<(i64, i64)> = rows.fetch_all(db).await?;
                Ok(rows.into_iter().collect())
            }

            async fn open_transactions(db: &mut Self::Connection) -> sqlx::Result<i64> {
                sqlx::query_scalar($open_transactions).fetch_one(db).await
            }
        }
    )*};
}

statements! {
    // A file has no server that could be asked.
    Sqlite: "SELECT 0",
    Postgres: "SELECT COUNT(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'",
    MySql: "SELECT COUNT(*) FROM information_schema.innodb_trx",
}

pub type ConnectOptions<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A pool for one test, with an empty table and one connection.
#[async_context]
pub async fn pool<DB: Statements>(server: ConnectOptions<DB>) -> anyhow::Result<Pool<DB>> {
    let options = PoolOptions::new().max_connections(CONNECTIONS);
    let mut pool = options.connect_lazy_with(server);
    prepare(&pool).await?;
    yield_resource!(pool);
    // The pool waits for connections in use. None should be.
    timeout(Duration::from_secs(10), pool.close()).await?;
    Ok(())
}

async fn prepare<DB: Statements>(pool: &Pool<DB>) -> Result<()> {
    let table = "CREATE TABLE entries (session BIGINT NOT NULL)";
    DB::run(&mut *pool.acquire().await?, table.to_owned()).await?;
    assert_all_returned(pool, 1).await
}

async fn insert<DB: Statements>(db: &mut DB::Connection, session: i64) -> sqlx::Result<()> {
    DB::run(db, format!("INSERT INTO entries VALUES ({session})")).await
}

/// The rows that a connection outside the pool sees.
async fn rows<DB: Statements>(pool: &Pool<DB>) -> Result<BTreeMap<i64, i64>> {
    let mut db = DB::Connection::connect_with(&pool.connect_options()).await?;
    let rows = DB::rows(&mut db).await?;
    db.close().await?;
    Ok(rows)
}

/// Checks that every connection is back in the pool, that none is lost, and that none has an open
/// transaction.
async fn assert_all_returned<DB: Statements>(pool: &Pool<DB>, size: u32) -> Result<()> {
    // A dropped connection goes back to its pool in a task of sqlx, which nobody can await.
    let returned = async {
        while pool.num_idle() != size as usize || pool.size() != size {
            sleep(Duration::from_millis(1)).await;
        }
    };
    ensure!(
        timeout(Duration::from_secs(10), returned).await.is_ok(),
        "{} of {} connections are idle, there were {size}",
        pool.num_idle(),
        pool.size(),
    );
    let mut db = DB::Connection::connect_with(&pool.connect_options()).await?;
    let open = DB::open_transactions(&mut db).await?;
    db.close().await?;
    ensure!(open == 0, "{open} transactions are open");
    Ok(())
}

pub async fn a_body_that_succeeds_is_committed<DB: Statements>(pool: Pool<DB>) -> Result<()> {
    let value = async_with!(db = session(pool.clone())?, {
        insert::<DB>(db, 1).await?;
        insert::<DB>(db, 1).await?;
        ensure!(rows(&pool).await?.is_empty(), "seen before the end");
        "value"
    });
    assert_eq!(value, "value");
    assert_eq!(rows(&pool).await?, [(1, 2)].into());
    assert_all_returned(&pool, 1).await
}

pub async fn a_body_that_fails_is_rolled_back<DB: Statements>(pool: Pool<DB>) -> Result<()> {
    let failed: Result<()> = async {
        async_with!(db = session(pool.clone())?, {
            insert::<DB>(db, 1).await?;
            ensure!(1 > 2, "expected");
        });
        Ok(())
    }
    .await;
    assert_eq!(failed.unwrap_err().to_string(), "expected");
    assert_eq!(rows(&pool).await?, [].into());
    assert_all_returned(&pool, 1).await
}

/// In PostgreSQL a transaction with a failed statement can only be rolled back.
pub async fn a_body_whose_statement_fails_is_rolled_back<DB: Statements>(
    pool: Pool<DB>,
) -> Result<()> {
    let failed = session(pool.clone()).with(async |db| {
        insert::<DB>(db, 1).await?;
        DB::run(db, "INSERT INTO entries VALUES (NULL)".to_owned()).await
    });
    assert!(failed.await.unwrap_err().as_database_error().is_some());
    assert_eq!(rows(&pool).await?, [].into());
    assert_all_returned(&pool, 1).await
}

pub async fn a_body_that_panics_is_rolled_back<DB: Statements>(pool: Pool<DB>) -> Result<()> {
    let panicking = {
        let pool = pool.clone();
        async move {
            async_with!(db = session(pool)?, {
                insert::<DB>(db, 1).await?;
                panic_as_expected();
            });
            anyhow::Ok(())
        }
    };
    assert!(tokio::spawn(panicking).await.unwrap_err().is_panic());
    assert_eq!(rows(&pool).await?, [].into());
    assert_all_returned(&pool, 1).await
}

/// Panics. In a separate function, so that the code after the call is not unreachable for the compiler.
fn panic_as_expected() {
    panic!("expected");
}

pub async fn a_cancelled_body_is_rolled_back<DB: Statements>(pool: Pool<DB>) -> Result<()> {
    let inserted = AtomicBool::new(false);
    let waiting = async {
        async_with!(db = session(pool.clone())?, {
            insert::<DB>(db, 1).await?;
            inserted.store(true, Relaxed);
            pending::<()>().await;
        });
        anyhow::Ok(())
    };
    poll_until(waiting, |_| inserted.load(Relaxed)).await;
    drain().await;
    assert_eq!(rows(&pool).await?, [].into());
    assert_all_returned(&pool, 1).await
}

pub async fn a_savepoint_is_rolled_back_alone<DB: Statements>(pool: Pool<DB>) -> Result<()> {
    async_with!(db = session(pool.clone())?, {
        insert::<DB>(db, 1).await?;
        let mut savepoint = db.begin().await?;
        insert::<DB>(&mut savepoint, 2).await?;
        savepoint.rollback().await?;
        insert::<DB>(db, 3).await?;
    });
    assert_eq!(rows(&pool).await?, [(1, 1), (3, 1)].into());
    assert_all_returned(&pool, 1).await
}

pub async fn a_session_that_waits_for_a_connection_can_be_cancelled<DB: Statements>(
    pool: Pool<DB>,
) -> Result<()> {
    let mut taken = Vec::new();
    for _ in 0..CONNECTIONS {
        taken.push(pool.acquire().await?);
    }
    let waiting = session(pool.clone()).enter();
    poll_until(waiting, |polls| polls == 1).await;
    // If the session still waited in the background, `drain` would not end.
    timeout(Duration::from_secs(10), drain()).await?;
    drop(taken);
    assert_all_returned(&pool, CONNECTIONS).await
}

/// How a session ended, as its user knows.
#[derive(Default)]
struct Fate {
    body_ended: AtomicBool,
    completed: AtomicBool,
}

pub async fn a_thousand_sessions_cancelled_at_random_points_leave_no_trace<DB: Statements>(
    pool: Pool<DB>,
) -> Result<()> {
    const SESSIONS: i64 = 1000;

    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(pool.acquire().await?);
    }
    drop(connections);
    assert_all_returned(&pool, CONNECTIONS).await?;

    let fates: BTreeMap<i64, Fate> = (1..=SESSIONS).map(|id| (id, Fate::default())).collect();
    let use_session = async |id: i64, fate: &Fate| -> sqlx::Result<()> {
        async_with!(db = session(pool.clone())?, {
            insert::<DB>(db, id).await?;
            insert::<DB>(db, id).await?;
            fate.body_ended.store(true, Relaxed);
        });
        fate.completed.store(true, Relaxed);
        Ok(())
    };

    // More sessions than connections, so that some are cancelled while they wait for one.
    let mut random = Random(2026);
    let cuts: Vec<_> = fates.iter().map(|fate| (fate, random.below(40))).collect();
    let failed: Vec<sqlx::Error> = stream::iter(cuts)
        .map(async |((&id, fate), polls)| {
            // So few polls are in the commit that none of the random ones may be.
            let in_commit = || id % 4 == 0 && fate.body_ended.load(Relaxed);
            let is_enough = |polled| polled == polls || in_commit();
            poll_until(use_session(id, fate), is_enough).await
        })
        .buffer_unordered(2 * CONNECTIONS as usize)
        .filter_map(async |result| result?.err())
        .collect()
        .await;
    assert!(failed.is_empty(), "{failed:?}");
    drain().await;

    // A row is there if and only if the body ended, also if the user was dropped during the commit.
    let rows = rows(&pool).await?;
    for (id, fate) in &fates {
        let body_ended = fate.body_ended.load(Relaxed);
        assert!(body_ended || !fate.completed.load(Relaxed));
        let expected = if body_ended { Some(&2) } else { None };
        assert_eq!(rows.get(id), expected, "the rows of session {id}");
    }
    let count = |flag: fn(&Fate) -> &AtomicBool| {
        fates
            .values()
            .filter(|fate| flag(fate).load(Relaxed))
            .count()
    };
    let (ended, completed) = (
        count(|fate| &fate.body_ended),
        count(|fate| &fate.completed),
    );
    assert!(completed > 0, "no session completed");
    assert!(
        completed < ended,
        "no session was cancelled during its commit"
    );
    assert!(
        ended < fates.len(),
        "no session was cancelled before its commit"
    );
    assert_all_returned(&pool, CONNECTIONS).await
}

pub async fn a_session_cancelled_at_any_poll_leaves_nothing<DB: Statements>(
    pool: Pool<DB>,
) -> Result<()> {
    let number = AtomicI64::new(0);
    cancel_at_every_poll(
        async || {
            let number = number.fetch_add(1, Relaxed) + 1;
            async_with!(db = session(pool.clone())?, {
                insert::<DB>(db, number).await?;
                insert::<DB>(db, number).await?;
            });
            anyhow::Ok(())
        },
        async |cut| {
            // All of it, if it was cancelled while it committed, or nothing.
            let left = rows(&pool).await?.remove(&number.load(Relaxed));
            ensure!(matches!(left, None | Some(2)), "{left:?} rows are left");
            ensure!(left.is_some() || !cut.is_end(), "nothing is committed");
            ensure!(cut.reports().is_empty(), "an error was lost");
            assert_all_returned(&pool, pool.size()).await
        },
    )
    .await
}

/// A random number generator with the same numbers in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from(z % bound as u64).expect("the number is less than a usize")
    }
}

/// Runs the example on the database with this URL, or on its own one.
#[track_caller]
pub fn the_example_prints_its_steps(url: Option<&str>) {
    let output = run_example("database", url.as_slice());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let expected = [
        "at first: ann 100, bob 0",
        "30 transferred: ann 70, bob 30",
        "500 not transferred, ann cannot pay that: ann 70, bob 30",
        "20 not transferred, a panic in between: ann 70, bob 30",
        "20 not transferred, a time-out in between: ann 70, bob 30",
    ];
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}
