//! A runtime shuts down while one of its threads polls an inner exit. The outer exits run after the inner
//! one, on whichever thread polls them.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use guard_core::{AsyncContext, AsyncExitStack, async_context, async_with, yield_resource};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::Notify;

use crate::support::{Block, Failed, forever, logs, poll_and_drop, record_reports, step, workers};

/// What the inner exit is controlled by.
struct Control {
    log: Log,
    begins: Arc<Notify>,
    is_polled: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
    /// Whether the exit is pending once more after `goes_on`.
    needs_more: bool,
}

/// A context whose exit blocks the thread that polls it.
#[async_context]
async fn blocks(needs: Control) {
    yield_resource!();
    needs.begins.notified().await;
    needs.is_polled.send(()).unwrap();
    needs.goes_on.recv().unwrap();
    needs.log.push("goes on");
    if needs.needs_more {
        yield_once().await;
    }
    needs.log.push("-inner");
}

/// A context that drops `over` when its exit ends.
#[async_context]
async fn outer(log: Log, name: &'static str, over: mpsc::Sender<()>) {
    yield_resource!();
    log.push(format_args!("-{name}"));
    drop(over);
}

/// Cancels the future of `make`, shuts the runtime down while a worker polls the inner exit, and returns the
/// log.
fn race(
    needs_more: bool,
    make: impl FnOnce(Log, Control, mpsc::Sender<()>) -> Block,
) -> Vec<String> {
    let (log, reports) = logs();
    let runtime = workers(2, &reports);
    let begins = Arc::new(Notify::new());
    let (is_polled, polled) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let (over, is_over) = mpsc::channel();
    let needs = Control {
        log: log.clone(),
        begins: begins.clone(),
        is_polled,
        goes_on,
        needs_more,
    };
    let whole = make(log.clone(), needs, over);
    runtime.block_on(async { poll_and_drop(whole) });
    begins.notify_one();
    polled.recv().unwrap();
    // When all these tasks are gone, the other worker has dropped its tasks, or is dropping the last one.
    let (alive, all_gone) = mpsc::channel::<()>();
    for _ in 0..50 {
        let alive = alive.clone();
        runtime.spawn(async move {
            let _alive = alive;
            forever().await;
        });
    }
    drop(alive);
    runtime.shutdown_background();
    assert!(all_gone.recv().is_err());
    assert_eq!(
        log.take(),
        [""; 0],
        "an outer exit ran before the inner one ended"
    );
    go_on.send(()).unwrap();
    let waited = is_over.recv_timeout(Duration::from_secs(60));
    assert_eq!(waited, Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(reports.line(), "");
    log.take()
}

const IN_ORDER: [&str; 3] = ["goes on", "-inner", "-outer"];

#[test]
fn two_uses_exit_in_order() {
    for needs_more in [false, true] {
        for _ in 0..20 {
            let all = race(needs_more, |log, needs, over| {
                Box::pin(async {
                    async_with!(_outer = outer(log, "outer", over), {
                        async_with!(_inner = blocks(needs), { forever().await });
                    });
                })
            });
            assert_eq!(all, IN_ORDER, "more: {needs_more}");
        }
    }
}

#[test]
fn two_uses_exit_in_order_when_the_inner_one_was_cancelled_before() {
    for needs_more in [false, true] {
        let all = race(needs_more, |log, needs, over| {
            Box::pin(outer(log, "outer", over).run(async |()| {
                poll_and_drop(blocks(needs).run(async |()| forever().await));
                forever().await;
            }))
        });
        assert_eq!(all, IN_ORDER, "more: {needs_more}");
    }
}

#[test]
fn three_uses_exit_in_order() {
    for needs_more in [false, true] {
        let all = race(needs_more, |log, needs, over| {
            Box::pin(async {
                async_with!(
                    _outer = outer(log.clone(), "outer", over.clone()),
                    _middle = outer(log, "middle", over),
                    _inner = blocks(needs),
                    {
                        forever().await;
                    }
                );
            })
        });
        assert_eq!(all, ["goes on", "-inner", "-middle", "-outer"]);
    }
}

#[test]
fn two_joined_uses_exit_after_the_one_inside() {
    for needs_more in [false, true] {
        let mut all = race(needs_more, |log, needs, over| {
            Box::pin(async {
                async_with!(
                    join(
                        _a = outer(log.clone(), "a", over.clone()),
                        _b = outer(log, "b", over)
                    ),
                    {
                        async_with!(_inner = blocks(needs), { forever().await });
                    }
                );
            })
        });
        all[2..].sort_unstable();
        assert_eq!(all, ["goes on", "-inner", "-a", "-b"]);
    }
}

#[test]
fn the_entries_of_a_stack_exit_in_order() {
    for needs_more in [false, true] {
        let all = race(needs_more, |log, needs, over| {
            Box::pin(async {
                let stack = AsyncExitStack::<Failed>::new();
                let outer = outer(log, "outer", over).with_error();
                stack.enter(outer).await.unwrap();
                stack.enter(blocks(needs).with_error()).await.unwrap();
                forever().await;
            })
        });
        assert_eq!(all, IN_ORDER, "more: {needs_more}");
    }
}

#[test]
fn the_uses_in_a_context_made_of_contexts_exit_in_order() {
    #[async_context]
    async fn made(log: Log, needs: Control, over: mpsc::Sender<()>) {
        async_with!(_outer = outer(log, "outer", over), {
            async_with!(_inner = blocks(needs), {
                yield_resource!();
            });
        });
    }

    for needs_more in [false, true] {
        let all = race(needs_more, |log, needs, over| {
            Box::pin(made(log, needs, over).run(async |()| forever().await))
        });
        assert_eq!(all, IN_ORDER, "more: {needs_more}");
    }
}

#[test]
fn the_exits_run_in_order_whether_the_runtime_or_the_future_is_dropped_first() {
    for future_first in [true, false] {
        let (log, reports) = logs();
        let runtime = workers(1, &reports);
        let mut whole = Box::pin(async {
            async_with!(
                _a = step(log.clone(), "a", 0),
                _b = step(log.clone(), "b", 0),
                _c = step(log.clone(), "c", 9),
                {
                    forever().await;
                }
            );
        });
        {
            let _entered = runtime.enter();
            assert!(poll_once(whole.as_mut()).is_pending());
        }
        if future_first {
            // The only worker is busy, so nobody polls the clean-up in the background.
            let (busy, is_busy) = mpsc::channel();
            let (go_on, goes_on) = mpsc::channel::<()>();
            let reports = reports.clone();
            runtime.spawn(async move {
                record_reports(&reports);
                busy.send(()).unwrap();
                let _ = goes_on.recv();
            });
            is_busy.recv().unwrap();
            drop(whole);
            assert_eq!(log.line(), "+a +b +c");
            drop(go_on);
            drop(runtime);
            // The worker may finish the exit of `c` before it shuts down, or not.
            let line = log.line();
            assert!(["-c -b -a", "-b -a"].contains(&&*line), "{line}");
        } else {
            drop(runtime);
            drop(whole);
            assert_eq!(log.line(), "+a +b +c -b -a");
            assert_eq!(reports.line(), "step abandoned");
        }
    }
}
