//! Contexts without a runtime: the executors of the futures crate.
//!
//! ```sh
//! cargo run -p guard-examples --example runtime_futures
//! ```

use std::io;

use futures::channel::{mpsc, oneshot};
use futures::executor::{ThreadPool, block_on};
use futures::future::{Either, pending, select};
use futures::{SinkExt, StreamExt};
use guard_core::{Outcome, async_context, async_with, drain, yield_resource};

/// What a store is asked to do, and where it answers.
enum Request {
    Lock(oneshot::Sender<()>),
    Unlock(Outcome, oneshot::Sender<()>),
}

/// One that is asked through a channel, and serves one client at a time.
async fn store(mut requests: mpsc::Receiver<Request>) -> Vec<Outcome> {
    let mut seen = Vec::new();
    let mut is_locked = false;
    while let Some(request) = requests.next().await {
        let answer = match request {
            Request::Lock(answer) => {
                assert!(!is_locked, "the lock is held");
                is_locked = true;
                answer
            }
            Request::Unlock(outcome, answer) => {
                is_locked = false;
                seen.push(outcome);
                answer
            }
        };
        // A caller that has given up does not read the answer.
        let _ = answer.send(());
    }
    seen
}

async fn ask(
    store: &mut mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<()>) -> Request,
) -> io::Result<()> {
    let (answer, answered) = oneshot::channel();
    store
        .send(request(answer))
        .await
        .map_err(io::Error::other)?;
    answered.await.map_err(io::Error::other)
}

/// The lock of the store. It takes two messages, and two answers.
#[async_context]
async fn locked(store: mpsc::Sender<Request>) -> io::Result<()> {
    let mut store = store;
    ask(&mut store, Request::Lock).await?;
    let outcome = yield_resource!();
    ask(&mut store, |answer| Request::Unlock(outcome, answer)).await
}

async fn work(store: &mpsc::Sender<Request>, does: impl Future<Output = bool>) -> io::Result<()> {
    async_with!(_lock = locked(store.clone())?, {
        if !does.await {
            return Err(io::Error::other("it did not work"));
        }
    });
    Ok(())
}

fn main() -> io::Result<()> {
    let pool = ThreadPool::new()?;
    let cleaning = pool.clone();
    // Where a use is cancelled, its clean-up goes on in the pool.
    guard_core::set_spawner(move |cleanup| cleaning.spawn_ok(cleanup));

    let (requests, received) = mpsc::channel(1);
    let (result, seen) = oneshot::channel();
    pool.spawn_ok(async move {
        let _ = result.send(store(received).await);
    });

    block_on(async {
        work(&requests, async { true }).await?;
        println!("done");
        let failed = work(&requests, async { false }).await;
        println!("failed because {}", failed.unwrap_err());

        // It says when it is in the block, and stays there until it is cancelled.
        let (inside, is_inside) = oneshot::channel();
        let stays = work(&requests, async move {
            let _ = inside.send(());
            pending().await
        });
        match select(Box::pin(stays), is_inside).await {
            Either::Left((ended, _)) => println!("ended with {ended:?}"),
            Either::Right(_) => println!("cancelled"),
        }
        drain().await;
        drop(requests);
        println!("the store saw {:?}", seen.await.map_err(io::Error::other)?);
        Ok(())
    })
}
