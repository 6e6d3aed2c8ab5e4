//! A clean-up that a worker spawns does not wait for what that worker computes, where others are idle.

use std::sync::mpsc;
use std::time::Duration;

use guard_core::{AsyncContext, async_context, async_with, yield_resource};

use crate::support::{forever, logs, poll_and_drop, workers};

/// Says when its exit is over, which takes more than the poll in place.
#[async_context]
async fn tells(over: mpsc::Sender<()>) {
    yield_resource!();
    tokio::task::yield_now().await;
    let _ = over.send(());
}

#[track_caller]
fn is_over_meanwhile(make: fn(mpsc::Sender<()>) -> crate::support::Block) {
    let (_, reports) = logs();
    let runtime = workers(4, &reports);
    let (over, is_over) = mpsc::channel();
    let future = make(over);
    let task = runtime.spawn(async move {
        poll_and_drop(future);
        // The worker has no other use for itself.
        is_over.recv_timeout(Duration::from_secs(20))
    });
    assert_eq!(runtime.block_on(task).unwrap(), Ok(()));
}

#[test]
fn of_a_use() {
    is_over_meanwhile(|over| Box::pin(tells(over).run(async |()| forever().await)));
}

#[test]
fn of_a_use_that_waits_for_an_inner_one() {
    is_over_meanwhile(|over| {
        Box::pin(async {
            async_with!(_outer = tells(over), {
                let inner = crate::support::step(guard_tests::Log::new(), "inner", 3);
                inner.run(async |()| forever().await).await;
            });
        })
    });
}

#[test]
fn of_a_guard() {
    is_over_meanwhile(|over| {
        Box::pin(async {
            let _guard = tells(over).enter().await;
            forever().await;
        })
    });
}
