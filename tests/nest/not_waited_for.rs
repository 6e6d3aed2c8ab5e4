//! What an exit does not wait for: set-ups, and uses that are dropped in other tasks and threads. The files
//! `runtimes`, `rings` and `detached` test the other cases.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use guard_core::{AsyncContext, AsyncExitStack, async_context, async_with, drain, yield_resource};
use guard_tests::Log;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::JoinSet;

use crate::support::{
    Failed, WAYS, Way, forever, gated, logs, must_end, paused, poll_and_drop, pooled, sleeps, step,
    time_out, using, workers,
};

#[test]
fn an_exit_does_not_wait_for_a_set_up_that_needs_what_it_holds() {
    let (log, reports) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            let pool = Arc::new(Semaphore::new(1));
            async_with!(_outer = pooled(log.clone(), "outer", pool.clone()), {
                let inner = pooled(log.clone(), "inner", pool);
                time_out(inner.run(async |()| ())).await;
                log.push("next");
            });
            log.push("over");
            drain().await;
        });
        log.line()
    });
    assert_eq!(line, "+outer next -outer over +inner -inner");
    assert_eq!(reports.line(), "");
}

#[test]
fn an_exit_waits_for_a_clean_up_inside_a_set_up_for_which_it_does_not_wait() {
    /// Its set-up drops a use, and then takes long.
    #[async_context]
    async fn sets_up(log: Log) {
        poll_and_drop(sleeps(log.clone(), "inside", 2_000).run(async |()| forever().await));
        tokio::time::sleep(Duration::from_secs(5)).await;
        yield_resource!();
        log.push("-set up");
    }

    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            time_out(sets_up(log.clone()).run(async |()| ())).await;
        });
        drain().await;
    });
    assert_eq!(log.line(), "+outer -inside -outer -set up");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_clean_up_does_not_wait_for_a_set_up_that_needs_what_it_holds() {
    let (log, _) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            let pool = Arc::new(Semaphore::new(1));
            time_out(async {
                async_with!(_outer = pooled(log.clone(), "outer", pool.clone()), {
                    let inner = pooled(log.clone(), "inner", pool);
                    inner.run(async |()| ()).await;
                });
            })
            .await;
            drain().await;
        });
        log.line()
    });
    assert_eq!(line, "+outer -outer +inner -inner");
}

#[test]
fn a_clean_up_does_not_wait_for_a_set_up_of_a_guard_a_stack_or_a_join() {
    let (log, _) = logs();
    must_end(move || {
        paused().block_on(async {
            for which in ["guard", "stack", "join"] {
                let pool = Arc::new(Semaphore::new(1));
                async_with!(_outer = pooled(log.clone(), "outer", pool.clone()), {
                    let inner = pooled(log.clone(), "inner", pool.clone());
                    match which {
                        "guard" => poll_and_drop(inner.enter()),
                        "stack" => {
                            let stack = AsyncExitStack::<Failed>::new();
                            poll_and_drop(stack.enter(inner.with_error()));
                        }
                        _ => poll_and_drop(async {
                            async_with!(join(_a = inner, _b = step(Log::new(), "beside", 0)), {});
                        }),
                    }
                });
                drain().await;
                assert_eq!(log.line(), "+outer -outer +inner -inner", "{which}");
            }
        });
    });
}

#[test]
fn an_exit_does_not_wait_for_a_set_up_that_was_started_before_its_block() {
    let (log, _) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            let row = Arc::new(Semaphore::new(1));
            let mut jobs = FuturesUnordered::new();
            let job = pooled(log.clone(), "job", row.clone());
            jobs.push(Box::pin(time_out(job.run(async |()| ()))));
            async_with!(_tx = pooled(log.clone(), "tx", row), {
                jobs.next().await;
                log.push("block over");
            });
            drain().await;
        });
        log.line()
    });
    assert_eq!(line, "+tx block over -tx +job -job");
}

/// A context whose set-up waits for `gate`.
#[async_context]
async fn enters_late(log: Log, gate: Arc<Notify>) {
    log.push("enters");
    gate.notified().await;
    log.push("+late");
    yield_resource!();
    log.push("-late");
}

#[test]
fn drain_waits_for_a_set_up_in_the_background() {
    let (log, _) = logs();
    paused().block_on(async {
        for way in WAYS.into_iter().filter(|way| *way != Way::Within) {
            let gate = Arc::new(Notify::new());
            let block = {
                let (log, gate) = (log.clone(), gate.clone());
                async move { poll_and_drop(enters_late(log, gate).run(async |()| ())) }
            };
            using(way, log.clone(), "outer", 0, Box::pin(block)).await;
            assert_eq!(log.line(), "+outer enters -outer", "{way:?}");
            gate.notify_one();
            drain().await;
            assert_eq!(log.line(), "+late -late", "{way:?}");
        }
    });
}

#[test]
fn an_exit_does_not_wait_for_a_use_in_a_task_of_its_block() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        let (inside, is_inside) = oneshot::channel();
        async_with!(_tx = step(log.clone(), "tx", 0), {
            let mut set = JoinSet::new();
            let task = gated(log.clone(), "task", gate.clone()).run(async |()| {
                inside.send(()).unwrap();
                forever().await;
            });
            set.spawn(task);
            is_inside.await.unwrap();
            // The task is aborted when this is dropped.
        });
        assert_eq!(log.line(), "+tx -tx");
        tokio::task::yield_now().await;
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "-task");
    });
}

#[test]
fn an_exit_does_not_wait_for_a_use_in_a_thread_of_its_block() {
    let (log, reports) = logs();
    let runtime = workers(1, &reports);
    let handle = runtime.handle().clone();
    let gate = Arc::new(Notify::new());
    let log_inside = log.clone();
    let gate_inside = gate.clone();
    runtime.block_on(async {
        async_with!(_tx = step(log.clone(), "tx", 0), {
            std::thread::spawn(move || {
                let _entered = handle.enter();
                let thread = gated(log_inside, "thread", gate_inside);
                poll_and_drop(thread.run(async |()| forever().await));
            })
            .join()
            .unwrap();
        });
        assert_eq!(log.line(), "+tx -tx");
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "-thread");
    });
}

#[test]
fn an_exit_does_not_wait_for_a_use_that_outlives_its_block() {
    let (log, _) = logs();
    paused().block_on(async {
        let kept = Mutex::new(None);
        async_with!(_tx = step(log.clone(), "tx", 0), {
            let mut made = Box::pin(step(log.clone(), "made", 3).run(async |()| forever().await));
            assert!(guard_tests::poll_once(made.as_mut()).is_pending());
            *kept.lock().unwrap() = Some(made);
        });
        assert_eq!(log.line(), "+tx +made -tx");
        drop(kept);
        drain().await;
        assert_eq!(log.line(), "-made");
    });
}
