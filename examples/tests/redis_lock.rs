//! The Redis lock, on servers that some tests kill.

#[path = "support/alone.rs"]
mod alone;
#[path = "support/poll_until.rs"]
mod poll_until;
#[path = "support/run_example.rs"]
mod run_example;

use std::env;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use alone::{alone, is_alone};
use anyhow::{Result, bail, ensure};
use guard_core::testing::{cancel_at_every_poll, reports};
use guard_core::{AsyncContext, async_with, drain};
use guard_examples::redis_lock::{Held, LockError, lock};
use guard_examples::servers::{Server, redis, redis_on};
use poll_until::poll_until;
use redis::aio::MultiplexedConnection;
use redis::{AsyncTypedCommands, Client};
use run_example::run_example;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

const KEY: &str = "lock";
const COUNTER: &str = "counter";
/// So long that a test fails if it waits for this time.
const LONG: Duration = Duration::from_secs(300);
/// For the tests in which the lock has to expire.
const SHORT: Duration = Duration::from_secs(2);
/// The limit for everything that should happen.
const SOON: Duration = Duration::from_secs(20);

fn client(server: &Server) -> Result<Client> {
    Ok(Client::open(server.url())?)
}

fn lock_for(
    client: &Client,
    ttl: Duration,
) -> impl AsyncContext<Resource = Held, Error = LockError> + Send + 'static {
    lock(client.clone(), KEY.to_owned(), ttl)
}

async fn is_free(client: &Client) -> Result<bool> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    Ok(!connection.exists(KEY).await?)
}

/// Increments the counter without a lock. Increments of others between the two steps are lost.
async fn count(connection: &mut MultiplexedConnection) -> Result<()> {
    let counted = connection.get_int(COUNTER).await?.unwrap_or(0);
    for _ in 0..10 {
        yield_now().await;
    }
    connection.set(COUNTER, counted + 1).await?;
    Ok(())
}

async fn count_locked(client: &Client, times: usize) -> Result<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    for _ in 0..times {
        async_with!(held = lock_for(client, LONG)?, {
            count(&mut connection).await?;
            ensure!(!held.is_lost(), "nobody else can have it");
        });
    }
    Ok(())
}

async fn counted(client: &Client) -> Result<Option<isize>> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    Ok(connection.get_int(COUNTER).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_counter_loses_counts() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let mut counters = JoinSet::new();
        for _ in 0..8 {
            let mut connection = client.get_multiplexed_async_connection().await?;
            counters.spawn(async move {
                for _ in 0..25 {
                    count(&mut connection).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(counter) = counters.join_next().await {
            counter??;
        }
        assert!(counted(&client).await? < Some(200));
    });
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn competing_tasks_exclude_one_another() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let mut counters = JoinSet::new();
        for _ in 0..8 {
            let client = client.clone();
            counters.spawn(async move { count_locked(&client, 25).await });
        }
        while let Some(counter) = counters.join_next().await {
            counter??;
        }
        assert_eq!(counted(&client).await?, Some(200));
        assert!(is_free(&client).await?);
    });
    Ok(())
}

/// Not a test by itself: the test below starts it in another process.
#[tokio::test]
async fn a_competing_process() -> Result<()> {
    if is_alone() {
        count_locked(&Client::open(env::var("REDIS")?)?, 25).await?;
    }
    Ok(())
}

#[tokio::test]
async fn competing_processes_exclude_one_another() -> Result<()> {
    async_with!(server = redis()?, {
        let mut processes = Vec::new();
        for _ in 0..4 {
            let process = alone("a_competing_process")
                .env("REDIS", server.url())
                .spawn()?;
            processes.push(process);
        }
        count_locked(&client(server)?, 25).await?;
        for mut process in processes {
            assert!(process.wait()?.success());
        }
        assert_eq!(counted(&client(server)?).await?, Some(125));
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_when_the_body_ends() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        async_with!(_held = lock_for(&client, LONG)?, {
            assert!(!is_free(&client).await?);
        });
        assert!(is_free(&client).await?);
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_when_the_holder_fails() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let failed = lock_for(&client, LONG).with(async |_| {
            assert!(!is_free(&client).await?);
            bail!("expected");
            #[allow(unreachable_code, reason = "it gives the type of the body's value")]
            Ok(())
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "expected");
        assert!(is_free(&client).await?);
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_when_the_holder_panics() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let holder = lock_for(&client, LONG);
        let panicked =
            tokio::spawn(holder.with(async |_| -> Result<(), LockError> { panic!("expected") }));
        assert!(panicked.await.unwrap_err().is_panic());
        assert!(is_free(&client).await?);
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_when_the_holder_is_cancelled() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let holds = AtomicBool::new(false);
        let holder = lock_for(&client, LONG).with(async |_| -> Result<(), LockError> {
            holds.store(true, Relaxed);
            pending().await
        });
        poll_until(holder, |_| holds.load(Relaxed)).await;
        drain().await;
        assert!(is_free(&client).await?);
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_wherever_taking_and_releasing_it_was_cancelled() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut ended = 0;
        let mut polls = 0;
        // The number of polls differs from run to run.
        while ended < 10 {
            let mut user = Box::pin(lock_for(&client, LONG).with(async |_| {
                yield_now().await;
                Ok::<_, LockError>(())
            }));
            let end = poll_until(user.as_mut(), |polled| polled == polls).await;
            ended += i32::from(end.transpose()?.is_some());
            // The last request needs time to reach the server. Nobody reads its answer.
            connection.ping().await?;
            drop(user);
            drain().await;
            assert!(is_free(&client).await?, "after {polls} polls");
            polls += 1;
        }
    });
    Ok(())
}

#[tokio::test]
async fn the_lock_is_free_wherever_its_use_is_cancelled() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        cancel_at_every_poll(
            async || {
                async_with!(held = lock_for(&client, LONG)?, {
                    yield_now().await;
                    ensure!(!held.is_lost(), "nobody else can have it");
                });
                anyhow::Ok(())
            },
            async |cut| {
                ensure!(is_free(&client).await?, "the lock is held");
                ensure!(cut.reports().is_empty(), "an error was lost");
                anyhow::Ok(())
            },
        )
        .await?;
    });
    Ok(())
}

#[tokio::test]
async fn a_cancelled_wait_stops_at_once_and_takes_nothing() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        for polls in 1..12 {
            async_with!(_held = lock_for(&client, LONG)?, {
                let waiting = lock_for(&client, LONG).enter();
                let entered = poll_until(waiting, |polled| polled == polls).await;
                assert!(entered.is_none());
                // If this set-up still waited in the background, `drain` would wait for the lock that is held
                // here.
                timeout(SOON, drain()).await?;
            });
            assert!(is_free(&client).await?);
        }
    });
    Ok(())
}

#[tokio::test]
async fn a_stolen_lock_is_not_deleted_and_the_holder_gets_an_error() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let robbed = lock_for(&client, LONG).with(async |_| {
            connection.set(KEY, "a thief's token").await?;
            Ok::<_, LockError>("done")
        });
        assert!(matches!(robbed.await, Err(LockError::Lost)));
        assert_eq!(
            connection.get(KEY).await?.as_deref(),
            Some("a thief's token")
        );
    });
    Ok(())
}

#[tokio::test]
async fn a_stolen_lock_is_not_renewed_and_ends_the_body() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let reports = reports();
        let mut connection = client.get_multiplexed_async_connection().await?;
        let robbed = lock_for(&client, SHORT).with(async |held| -> Result<(), LockError> {
            assert!(!held.is_lost());
            connection.set(KEY, "a thief's token").await?;
            pending().await
        });
        let ended = timeout(SOON, robbed).await?;
        assert!(matches!(ended, Err(LockError::Lost)));
        assert!(reports.take().is_empty(), "the loss is told once");
        assert_eq!(
            connection.ttl(KEY).await?,
            redis::IntegerReplyOrNoOp::ExistsButNotRelevant
        );
    });
    Ok(())
}

#[tokio::test]
async fn a_lock_is_held_for_longer_than_its_time_to_live() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        async_with!(held = lock_for(&client, SHORT)?, {
            // The remaining time grows at each renewal. One renewal is not enough to pass.
            let mut renewals = 0;
            let mut left = i64::MAX;
            while renewals < 4 {
                let now: i64 = redis::cmd("PTTL")
                    .arg(KEY)
                    .query_async(&mut connection)
                    .await?;
                assert!(now > 0 && !held.is_lost());
                renewals += i32::from(now > left);
                left = now;
            }
        });
    });
    Ok(())
}

/// Not a test by itself: the test below kills its process while it holds the lock.
#[tokio::test]
async fn a_process_that_holds_the_lock() -> Result<()> {
    if is_alone() {
        let client = Client::open(env::var("REDIS")?)?;
        async_with!(_held = lock_for(&client, SHORT)?, {
            println!("held");
            pending::<()>().await;
        });
    }
    Ok(())
}

#[tokio::test]
async fn the_lock_of_a_process_that_is_killed_expires() -> Result<()> {
    async_with!(server = redis()?, {
        let mut process = alone("a_process_that_holds_the_lock")
            .env("REDIS", server.url())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().into_iter();
        let mut lines = output.flat_map(|output| BufReader::new(output).lines());
        assert!(lines.any(|line| line.is_ok_and(|line| line == "held")));
        process.kill()?;
        process.wait()?;

        let client = client(server)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let left: i64 = redis::cmd("PTTL")
            .arg(KEY)
            .query_async(&mut connection)
            .await?;
        assert!(left <= SHORT.as_millis().try_into()?);
        let next = lock_for(&client, LONG).with(async |_| Ok::<_, LockError>(()));
        timeout(SOON, next).await??;
    });
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_ends_the_body_of_the_holder() -> Result<()> {
    async_with!(server = redis()?, {
        let reports = reports();
        let holder = lock_for(&client(server)?, SHORT).with(async |_| -> Result<(), LockError> {
            server.kill().await.expect("the server can be killed");
            pending().await
        });
        let ended = timeout(SOON, holder).await?;
        assert!(matches!(ended, Err(LockError::Lost)));
        // The exit could not release the lock either.
        assert_eq!(reports.take().len(), 1);
    });
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_killed_is_an_error_for_those_who_wait() -> Result<()> {
    async_with!(server = redis()?, {
        let client = client(server)?;
        let held = lock_for(&client, LONG).enter().await?;
        let waiting = tokio::spawn(lock_for(&client, LONG).enter());
        server.kill().await?;
        assert!(matches!(
            timeout(SOON, waiting).await??,
            Err(LockError::Redis(_))
        ));
        assert!(matches!(
            timeout(SOON, held.exit()).await?,
            Err(LockError::Redis(_))
        ));

        let newcomer = lock_for(&client, LONG).enter();
        assert!(matches!(
            timeout(SOON, newcomer).await?,
            Err(LockError::Redis(_))
        ));
    });
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_restarted_is_an_error_for_the_holder_and_serves_the_next() -> Result<()> {
    let mut first = redis().enter().await?;
    let (client, port) = (client(&first)?, first.port());
    let held = lock_for(&client, LONG).enter().await?;
    first.kill().await?;
    first.exit().await?;
    async_with!(_second = redis_on(port)?, {
        // The connection is new, and the lock is not there.
        assert!(matches!(
            timeout(SOON, held.exit()).await?,
            Err(LockError::Lost)
        ));
        timeout(SOON, count_locked(&client, 1)).await??;
        assert!(is_free(&client).await?);
    });
    Ok(())
}

/// The last line of the example's output.
const LAST_LINE: &str = "a holder was stopped in its block: the lock was lost while it was in use";

#[test]
fn the_example_starts_a_server_of_its_own() {
    let output = run_example("redis_lock", &[]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().last(), Some(LAST_LINE));
}

#[tokio::test]
async fn the_example_takes_the_url_of_a_server() -> Result<()> {
    async_with!(server = redis()?, {
        let output = run_example("redis_lock", &[server.url()]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(counted_by_the_example(&client(server)?).await?, Some(80));
    });
    Ok(())
}

async fn counted_by_the_example(client: &Client) -> Result<Option<isize>> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    Ok(connection.get_int("guard:counter").await?)
}
