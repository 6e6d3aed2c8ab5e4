//! A runtime shuts down while one of its threads polls an inner exit: the outer ones come after it, whoever
//! polls them.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use guard_core::{AsyncContext, AsyncExitStack, async_context, async_with, yield_resource};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::Notify;

use crate::support::{Block, Failed, forever, listen, logs, poll_and_drop, step, workers};

/// What the inner exit needs.
struct Needs {
    log: Log,
    begins: Arc<Notify>,
    is_polled: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
    /// Whether it is pending once more after that.
    needs_more: bool,
}

/// Its exit blocks the thread that polls it.
#[async_context]
async fn blocks(needs: Needs) {
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

/// The sender is dropped when all is over.
#[async_context]
async fn outer(log: Log, name: &'static str, over: mpsc::Sender<()>) {
    yield_resource!();
    log.push(format_args!("-{name}"));
    drop(over);
}

/// Cuts what `make` makes, shuts the runtime down while the inner exit is being polled, and returns what happened.
fn race(needs_more: bool, make: impl FnOnce(Log, Needs, mpsc::Sender<()>) -> Block) -> Vec<String> {
    let (log, reports) = logs();
    let runtime = workers(2, &reports);
    let begins = Arc::new(Notify::new());
    let (is_polled, polled) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let (over, is_over) = mpsc::channel();
    let needs = Needs {
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
    // When these are gone, the other thread has dropped tasks, or the last of them does so right now.
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
    assert_eq!(log.take(), [""; 0], "nobody goes ahead");
    go_on.send(()).unwrap();
    let waited = is_over.recv_timeout(Duration::from_secs(60));
    assert_eq!(waited, Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(reports.line(), "");
    log.take()
}

const IN_ORDER: [&str; 3] = ["goes on", "-inner", "-outer"];

#[test]
fn of_two_uses() {
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
fn of_two_uses_of_which_the_inner_one_was_cut_before() {
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
fn of_three_uses() {
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
fn of_two_joined_uses_around_one() {
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
fn of_the_entries_of_a_stack() {
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
fn of_a_use_in_a_context_made_of_contexts() {
    #[async_context]
    async fn made(log: Log, needs: Needs, over: mpsc::Sender<()>) {
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
fn the_runtime_may_go_before_the_future_or_after_it() {
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
            // No worker gets the clean-up: it is polled by the one that is busy.
            let (busy, is_busy) = mpsc::channel();
            let (go_on, goes_on) = mpsc::channel::<()>();
            let reports = reports.clone();
            runtime.spawn(async move {
                listen(&reports);
                busy.send(()).unwrap();
                let _ = goes_on.recv();
            });
            is_busy.recv().unwrap();
            drop(whole);
            assert_eq!(log.line(), "+a +b +c");
            drop(go_on);
            drop(runtime);
            // It may be over by itself, or not.
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
