//! Clean-ups without a runtime in which they can run: each gets one poll, its last poll, from the inside out.
//! An outer exit gets it even if an inner one did not end.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, async_context, async_with, exit_stack, within, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};

use crate::support::{Block, Failed, forever, logs, never, paused, poll_and_drop, step, workers};

/// Ways of nesting three contexts: the exits of `a` and `c` end in one poll, the exit of `b` never ends.
const SHAPES: [&str; 11] = [
    "list", "macros", "run", "with", "within", "guards", "entries", "stack", "join", "composed",
    "mixed",
];

fn shape(which: &str, log: &Log) -> Block {
    let log = log.clone();
    let quick = |log: &Log, name| step(log.clone(), name, 0);
    let hung = |log: &Log| never(log.clone(), "b");
    match which {
        "list" => Box::pin(async move {
            async_with!(
                _a = quick(&log, "a"),
                _b = hung(&log),
                _c = quick(&log, "c"),
                {
                    forever().await;
                }
            );
        }),
        "macros" => Box::pin(async move {
            async_with!(_a = quick(&log, "a"), {
                async_with!(_b = hung(&log), {
                    async_with!(_c = quick(&log, "c"), { forever().await });
                });
            });
        }),
        "run" => Box::pin(quick(&log, "a").run(async move |()| {
            hung(&log)
                .run(async |()| quick(&log, "c").run(async |()| forever().await).await)
                .await;
        })),
        "with" => Box::pin(async move {
            let used = quick(&log, "a").with_error::<Failed>().with(async |()| {
                let b = hung(&log).with_error::<Failed>();
                b.with(async |()| {
                    let c = quick(&log, "c").with_error::<Failed>();
                    c.with(async |()| {
                        forever().await;
                        Ok::<_, Failed>(())
                    })
                    .await
                })
                .await
            });
            used.await.unwrap();
        }),
        "within" => {
            #[within(
                _a = step(log.clone(), "a", 0),
                _b = never(log.clone(), "b"),
                _c = step(log.clone(), "c", 0)
            )]
            async fn decorated(log: Log) {
                forever().await;
            }
            Box::pin(decorated(log))
        }
        "guards" => Box::pin(async move {
            let _a = quick(&log, "a").enter().await;
            let _b = hung(&log).enter().await;
            let _c = quick(&log, "c").enter().await;
            forever().await;
        }),
        "entries" => Box::pin(async move {
            let stack = AsyncExitStack::<Failed>::new();
            let _ = stack.enter(quick(&log, "a").with_error()).await;
            let _ = stack.enter(hung(&log).with_error()).await;
            let _ = stack.enter(quick(&log, "c").with_error()).await;
            forever().await;
        }),
        "stack" => Box::pin(async move {
            let used = exit_stack::<Failed>().with(async |stack: &mut AsyncExitStack<Failed>| {
                stack.enter(quick(&log, "a").with_error()).await?;
                stack.enter(hung(&log).with_error()).await?;
                stack.enter(quick(&log, "c").with_error()).await?;
                forever().await;
                Ok::<_, Failed>(())
            });
            used.await.unwrap();
        }),
        "join" => Box::pin(async move {
            async_with!(
                join(_a = quick(&log, "a"), _beside = quick(&Log::new(), "-")),
                {
                    async_with!(join(_b = hung(&log), _beside = quick(&Log::new(), "-")), {
                        async_with!(
                            join(_c = quick(&log, "c"), _beside = quick(&Log::new(), "-")),
                            {
                                forever().await;
                            }
                        );
                    });
                }
            );
        }),
        "composed" => {
            #[async_context]
            async fn made(log: Log) {
                async_with!(
                    _a = step(log.clone(), "a", 0),
                    _b = never(log.clone(), "b"),
                    _c = step(log.clone(), "c", 0),
                    {
                        yield_resource!();
                    }
                );
            }
            Box::pin(made(log).run(async |()| forever().await))
        }
        "mixed" => Box::pin(async move {
            let _a = quick(&log, "a").enter().await;
            async_with!(_b = hung(&log), {
                let stack = AsyncExitStack::<Failed>::new();
                let _ = stack.enter(quick(&log, "c").with_error()).await;
                forever().await;
            });
        }),
        _ => unreachable!(),
    }
}

/// Checks all shapes. `end` polls the future once, in this runtime if there is one, and ends both.
#[track_caller]
fn assert_last_polls(
    runtime: impl Fn(&Log) -> Option<Runtime>,
    end: impl Fn(Option<Runtime>, Block),
) {
    for which in SHAPES {
        let (log, reports) = logs();
        end(runtime(&reports), shape(which, &log));
        let line = log.line();
        assert_eq!(line, "+a +c -c ~b -a", "{which}");
        let reports = reports.take();
        let b = reports.iter().filter(|it| *it == "never abandoned").count();
        assert_eq!(b, 1, "{which}: {reports:?}");
        let others = reports.iter().filter(|it| it.starts_with("step"));
        assert_eq!(others.count(), 0, "{which}: {reports:?}");
    }
}

#[test]
fn a_use_without_a_runtime_gets_a_last_poll() {
    assert_last_polls(|_| None, |_, future| poll_and_drop(future));
}

#[test]
fn a_task_of_a_runtime_that_shuts_down_gets_a_last_poll() {
    assert_last_polls(
        |_| Some(paused()),
        |runtime, future| {
            let runtime = runtime.unwrap();
            runtime.block_on(async {
                tokio::spawn(future);
                tokio::task::yield_now().await;
            });
        },
    );
}

#[test]
fn a_task_of_a_multi_thread_runtime_that_shuts_down_gets_a_last_poll() {
    assert_last_polls(
        |reports| Some(workers(1, reports)),
        |runtime, mut future| {
            let runtime = runtime.unwrap();
            let (polled, is_polled) = std::sync::mpsc::channel();
            runtime.spawn(std::future::poll_fn(move |cx| {
                let poll = future.as_mut().poll(cx);
                let _ = polled.send(());
                poll
            }));
            is_polled.recv().unwrap();
        },
    );
}

#[test]
fn a_use_that_is_dropped_when_block_on_ends_gets_a_last_poll() {
    assert_last_polls(
        |_| Some(paused()),
        |runtime, future| runtime.unwrap().block_on(async { poll_and_drop(future) }),
    );
}

#[test]
fn a_future_that_outlives_its_runtime_gets_a_last_poll() {
    assert_last_polls(
        |_| Some(paused()),
        |runtime, mut future| {
            let runtime = runtime.unwrap();
            runtime.block_on(async { assert!(poll_once(future.as_mut()).is_pending()) });
            drop(runtime);
            drop(future);
        },
    );
}

#[test]
fn a_future_that_is_dropped_in_another_runtime_gets_a_last_poll() {
    assert_last_polls(
        |_| Some(paused()),
        |runtime, mut future| {
            let runtime = runtime.unwrap();
            runtime.block_on(async { assert!(poll_once(future.as_mut()).is_pending()) });
            drop(runtime);
            paused().block_on(async { drop(future) });
        },
    );
}

#[test]
fn an_aborted_task_of_a_runtime_that_shuts_down_gets_a_last_poll() {
    assert_last_polls(
        |_| Some(paused()),
        |runtime, future| {
            runtime.unwrap().block_on(async {
                let task = tokio::spawn(future);
                tokio::task::yield_now().await;
                task.abort();
            });
        },
    );
}

#[test]
fn a_lock_is_released_when_an_inner_session_hangs() {
    struct Locals(Log, &'static str);
    impl Drop for Locals {
        fn drop(&mut self) {
            self.0.push(format_args!("drop({})", self.1));
        }
    }
    #[async_context]
    async fn lock(log: Log) {
        let _locals = Locals(log.clone(), "lock");
        yield_resource!();
        log.push("released");
    }
    #[async_context]
    async fn session(log: Log) {
        let _locals = Locals(log.clone(), "session");
        yield_resource!();
        log.push("goodbye");
        forever().await;
    }

    let (log, reports) = logs();
    poll_and_drop(async {
        async_with!(_lock = lock(log.clone()), {
            async_with!(_session = session(log.clone()), { forever().await });
        });
    });
    let expected = "goodbye drop(session) released drop(lock)";
    assert_eq!(log.line(), expected);
    assert_eq!(reports.line(), "session abandoned");
}

#[test]
fn the_entries_of_a_stack_below_a_hung_one_get_a_last_poll() {
    let (log, _) = logs();
    let filled = || {
        let stack = AsyncExitStack::<Failed>::new();
        let (a, b, c) = (log.clone(), log.clone(), log.clone());
        let released = log.clone();
        stack.callback(move || a.push("callback"));
        stack.adopt((), async move |()| {
            released.push("released");
            Ok(())
        });
        stack.push_exit(async move |outcome: guard_core::Outcome| {
            b.push(format_args!("exit({outcome:?})"));
            Ok(())
        });
        stack.defer(async move || {
            c.push("hangs");
            forever().await;
            Ok(())
        });
        stack
    };
    let expected = "hangs exit(Cancelled) released callback";
    drop(filled());
    assert_eq!(log.line(), expected, "without a runtime");

    paused().block_on(async { drop(filled()) });
    assert_eq!(log.line(), expected, "where block_on ends");

    paused().block_on(async {
        tokio::spawn(filled_in(filled()));
        tokio::task::yield_now().await;
    });
    assert_eq!(log.line(), expected, "in a runtime that shuts down");

    async fn filled_in(stack: AsyncExitStack<Failed>) -> AsyncExitStack<Failed> {
        forever().await;
        stack
    }
}

#[test]
fn each_of_several_hung_exits_gets_a_last_poll() {
    let (log, reports) = logs();
    poll_and_drop(async {
        async_with!(
            _a = never(log.clone(), "a"),
            _b = never(log.clone(), "b"),
            _c = step(log.clone(), "c", 1),
            _d = step(log.clone(), "d", 0),
            {
                forever().await;
            }
        );
    });
    assert_eq!(log.line(), "+c +d -d ~b ~a");
    let expected = ["step abandoned", "never abandoned", "never abandoned"];
    assert_eq!(reports.take(), expected);
}

#[test]
fn a_use_that_was_cancelled_before_gets_its_last_poll_before_the_outer_use() {
    let (log, _) = logs();
    paused().block_on(async {
        let mut whole = Box::pin(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let inner = step(log.clone(), "inner", 1);
                poll_and_drop(inner.run(async |()| forever().await));
                forever().await;
            });
        });
        assert!(poll_once(whole.as_mut()).is_pending());
        drop(whole);
    });
    assert_eq!(log.line(), "+outer +inner -inner -outer");
}

#[test]
fn a_half_done_set_up_gets_a_last_poll_and_then_the_exit() {
    #[async_context]
    async fn enters_at_the_second_poll(log: Log) {
        yield_once().await;
        log.push("+entered");
        yield_resource!();
        log.push("-entered");
    }

    let (log, reports) = logs();
    poll_and_drop(enters_at_the_second_poll(log.clone()).run(async |()| ()));
    assert_eq!(log.line(), "+entered -entered");
    let mut using = Box::pin(enters_at_the_second_poll(log.clone()).run(async |()| ()));
    let runtime = paused();
    runtime.block_on(async { assert!(poll_once(using.as_mut()).is_pending()) });
    drop(runtime);
    drop(using);
    assert_eq!(log.line(), "+entered -entered");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_last_poll_is_outside_the_cooperative_budget_of_the_task() {
    #[async_context]
    async fn permit(log: Log, free: Arc<Semaphore>) {
        yield_resource!();
        let _permit = free.acquire().await.unwrap();
        log.push("released");
    }

    let (log, reports) = logs();
    let use_it = async |log: Log| {
        let free = Arc::new(Semaphore::new(1));
        let mut using = Box::pin(permit(log.clone(), free).run(async |()| forever().await));
        assert!(poll_once(using.as_mut()).is_pending());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for number in 0..1000 {
            sender.send(number).unwrap();
        }
        std::future::poll_fn(|cx| {
            while receiver.poll_recv(cx).is_ready() {}
            Poll::Ready(())
        })
        .await;
        assert!(
            !receiver.is_empty(),
            "the budget should be spent before the drop"
        );
        drop(using);
        log.push("dropped");
    };
    paused().block_on(async {
        let task = tokio::spawn(use_it(log.clone()));
        task.await.unwrap();
    });
    assert_eq!(log.line(), "released dropped");
    assert_eq!(reports.line(), "");
}

#[test]
fn only_a_clean_up_that_its_last_poll_did_not_end_is_reported() {
    let (log, reports) = logs();
    let runtime = paused();
    runtime.block_on(async {
        poll_and_drop(async {
            async_with!(
                _a = step(log.clone(), "a", 0),
                _b = crate::support::sleeps(log.clone(), "b", 5),
                _c = step(log.clone(), "c", 0),
                {
                    forever().await;
                }
            );
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
    drop(runtime);
    assert_eq!(log.line(), "+a +c -c -a");
    assert_eq!(reports.line(), "sleeps abandoned");
}
