//! A lock on a Redis server: one holder at a time, and free at once when the holder ends.
//!
//! The context is in `lock.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example redis_lock                # starts a Redis server of its own
//! cargo run -p guard-examples --example redis_lock -- redis://127.0.0.1/
//! ```

use std::env;
use std::future::pending;
use std::time::Duration;

use anyhow::ensure;
use guard_core::{async_with, drain};
use guard_examples::redis_lock::{LockError, lock};
use guard_examples::servers;
use redis::{AsyncTypedCommands, Client};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

const LOCK: &str = "guard:lock";
const COUNTER: &str = "guard:counter";
/// Long, to show that nobody waits for it to pass.
const TTL: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match env::args().nth(1) {
        Some(url) => run(Client::open(url)?).await,
        None => async_with!(server = servers::redis()?, {
            run(Client::open(server.url())?).await
        }),
    }
}

async fn run(client: Client) -> anyhow::Result<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    connection.set(COUNTER, 0).await?;
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        workers.spawn(count(client.clone(), 10));
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    let counted = connection.get_int(COUNTER).await?;
    println!("8 workers counted to 10 each, one at a time: {counted:?}");
    ensure!(counted == Some(80));

    ensure!(
        timeout(Duration::from_millis(50), hold(client.clone()))
            .await
            .is_err()
    );
    println!("a holder was cancelled");
    let since = Instant::now();
    async_with!(_held = lock(client.clone(), LOCK.to_owned(), TTL)?, {
        println!(
            "the lock was free after {:?}, not after {TTL:?}",
            since.elapsed()
        );
    });
    ensure!(since.elapsed() < TTL / 2);

    // Another client deletes the key.
    let stolen = async {
        async_with!(
            _held = lock(client.clone(), LOCK.to_owned(), Duration::from_millis(300))?,
            {
                connection.del(LOCK).await?;
                pending::<()>().await;
            }
        );
        Ok::<_, LockError>(())
    };
    let error = stolen.await.unwrap_err();
    println!("a holder was stopped in its block: {error}");
    drain().await;
    Ok(())
}

/// Increments a counter in two steps. Without a lock, increments of other clients between the steps are lost.
async fn count(client: Client, times: usize) -> anyhow::Result<()> {
    let mut connection = client.get_multiplexed_async_connection().await?;
    for _ in 0..times {
        async_with!(_held = lock(client.clone(), LOCK.to_owned(), TTL)?, {
            let counted = connection.get_int(COUNTER).await?.unwrap_or(0);
            sleep(Duration::from_millis(1)).await;
            connection.set(COUNTER, counted + 1).await?;
        });
    }
    Ok(())
}

async fn hold(client: Client) -> Result<(), LockError> {
    async_with!(_held = lock(client, LOCK.to_owned(), TTL)?, {
        pending::<()>().await;
    });
    Ok(())
}
