//! A clean-up that a worker thread hands off runs on an idle worker while the first one is busy.

use std::sync::mpsc;
use std::time::Duration;

use guard_core::{AsyncContext, async_context, async_with, yield_resource};

use crate::support::{forever, logs, poll_and_drop, workers};

/// A context whose exit needs a second poll, and then sends to `over`.
#[async_context]
async fn sends_when_exited(over: mpsc::Sender<()>) {
    yield_resource!();
    tokio::task::yield_now().await;
    let _ = over.send(());
}

#[track_caller]
fn assert_ends_on_another_worker(make: fn(mpsc::Sender<()>) -> crate::support::Block) {
    let (_, reports) = logs();
    let runtime = workers(4, &reports);
    let (over, is_over) = mpsc::channel();
    let future = make(over);
    let task = runtime.spawn(async move {
        poll_and_drop(future);
        // This worker stays busy, so another one has to run the clean-up.
        is_over.recv_timeout(Duration::from_secs(20))
    });
    assert_eq!(runtime.block_on(task).unwrap(), Ok(()));
}

#[test]
fn the_exit_of_a_use_runs_on_an_idle_worker() {
    assert_ends_on_another_worker(|over| {
        Box::pin(sends_when_exited(over).run(async |()| forever().await))
    });
}

#[test]
fn the_exits_of_nested_uses_run_on_an_idle_worker() {
    assert_ends_on_another_worker(|over| {
        Box::pin(async {
            async_with!(_outer = sends_when_exited(over), {
                let inner = crate::support::step(guard_tests::Log::new(), "inner", 3);
                inner.run(async |()| forever().await).await;
            });
        })
    });
}

#[test]
fn the_exit_of_a_guard_runs_on_an_idle_worker() {
    assert_ends_on_another_worker(|over| {
        Box::pin(async {
            let _guard = sends_when_exited(over).enter().await;
            forever().await;
        })
    });
}
