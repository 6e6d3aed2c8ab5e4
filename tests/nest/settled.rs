//! `settled(future)` is ready when its future is ready and every use that was dropped in it is cleaned up.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, GroupError, TaskGroup, async_context, async_with, drain, settled,
    task_group, try_settled, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::support::{
    CANCELLATIONS, Failed, WAYS, forever, gated, logs, paused, poll_and_drop, pooled, sleeps, step,
    time_out, using, workers,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn settled_waits_for_every_way_of_using_and_of_cancelling() {
    let (log, reports) = logs();
    paused().block_on(async {
        for way in WAYS {
            for cancellation in CANCELLATIONS {
                async_with!(_outer = step(log.clone(), "outer", 0), {
                    let inner = using(way, log.clone(), "inner", 5, Box::pin(forever()));
                    settled(cancellation.cancel(inner)).await;
                    log.push("next");
                });
                let expected = "+outer +inner -inner next -outer";
                assert_eq!(log.line(), expected, "{way:?}, {cancellation:?}");
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn settled_around_a_timeout_cancels_and_waits_like_pythons_timeout() {
    #[async_context]
    async fn transaction(log: Log, commit: &'static str, rollback: &'static str) {
        if yield_resource!().is_completed() {
            log.push(commit);
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
            log.push(rollback);
        }
    }

    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = transaction(log.clone(), "COMMIT", "ROLLBACK"), {
            let inner = transaction(log.clone(), "RELEASE sp", "ROLLBACK TO sp");
            let inner = inner.run(async |()| forever().await);
            assert!(settled(timeout(SECOND, inner)).await.is_err());
            log.push("next statement");
        });
        let expected = ["ROLLBACK TO sp", "next statement", "COMMIT"];
        assert_eq!(log.take(), expected);

        // The whole is cancelled while `settled` waits.
        let whole = async {
            async_with!(_outer = transaction(log.clone(), "COMMIT", "ROLLBACK"), {
                let inner = transaction(log.clone(), "RELEASE sp", "ROLLBACK TO sp");
                let inner = inner.run(async |()| forever().await);
                let _ = settled(timeout(SECOND, inner)).await;
                log.push("next statement");
            });
        };
        let limit = SECOND + Duration::from_millis(1);
        assert!(timeout(limit, whole).await.is_err());
        drain().await;
        assert_eq!(log.take(), ["ROLLBACK TO sp", "ROLLBACK"]);
    });
}

#[test]
fn settled_returns_the_output_of_its_future() {
    let (log, _) = logs();
    paused().block_on(async {
        assert_eq!(settled(std::future::ready(7)).await, 7);
        let output = settled(async {
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            log.push("ready");
            "a value"
        });
        assert_eq!(output.await, "a value");
        log.push("settled");
    });
    assert_eq!(log.line(), "+x ready -x settled");
}

#[test]
fn settled_is_ready_with_its_future_when_nothing_was_dropped() {
    let mut settled = Box::pin(settled(std::future::ready(7)));
    assert!(poll_once(settled.as_mut()).is_ready());
}

#[test]
fn settled_waits_for_set_ups() {
    let (log, _) = logs();
    paused().block_on(async {
        let pool = Arc::new(Semaphore::new(0));
        let free = pool.clone();
        let opener = tokio::spawn(async move {
            tokio::time::sleep(2 * SECOND).await;
            free.add_permits(1);
        });
        let inner = pooled(log.clone(), "inner", pool).run(async |()| ());
        settled(time_out(inner)).await;
        log.push("settled");
        opener.await.unwrap();
    });
    assert_eq!(log.line(), "+inner -inner settled");
}

#[test]
fn settled_waits_for_guards_and_stacks() {
    let (log, _) = logs();
    paused().block_on(async {
        settled(async {
            let _guard = step(log.clone(), "guard", 3).enter().await;
        })
        .await;
        log.push("settled");
        assert_eq!(log.line(), "+guard -guard settled");

        settled(async {
            let stack = AsyncExitStack::<Failed>::new();
            let _ = stack.enter(step(log.clone(), "a", 1).with_error()).await;
            let _ = stack.enter(step(log.clone(), "b", 3).with_error()).await;
        })
        .await;
        log.push("settled");
        assert_eq!(log.line(), "+a +b -b -a settled");
    });
}

#[test]
fn settled_waits_for_a_use_that_a_clean_up_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let inner = crate::support::cancels_in_its_exit(log.clone(), "inner");
        settled(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
        log.push("settled");
    });
    assert_eq!(log.line(), "+x -inner -x settled");
}

#[test]
fn settled_waits_for_a_set_up_that_a_clean_up_dropped() {
    #[async_context]
    async fn cuts_a_set_up(log: Log, pool: Arc<Semaphore>) {
        yield_resource!();
        yield_once().await;
        poll_and_drop(pooled(log.clone(), "inner", pool).run(async |()| ()));
        yield_once().await;
        log.push("-cuts");
    }
    #[async_context]
    async fn cuts_it_in_its_exit(log: Log, pool: Arc<Semaphore>) {
        yield_resource!();
        yield_once().await;
        poll_and_drop(cuts_a_set_up(log.clone(), pool).run(async |()| forever().await));
        log.push("-around");
    }

    /// Its set-up is cut, and finished in the background. Its exit cuts one of `cuts_a_set_up` in its set-up.
    #[async_context]
    async fn cuts_it_in_its_set_up(log: Log, pool: Arc<Semaphore>) {
        yield_once().await;
        yield_resource!();
        poll_and_drop(enters_late(log.clone(), pool).run(async |()| forever().await));
        log.push("-around");
    }
    #[async_context]
    async fn enters_late(log: Log, pool: Arc<Semaphore>) {
        yield_once().await;
        yield_resource!();
        yield_once().await;
        poll_and_drop(pooled(log.clone(), "inner", pool).run(async |()| ()));
        log.push("-cuts");
    }

    let (log, reports) = logs();
    paused().block_on(async {
        for depth in 0..4 {
            let pool = Arc::new(Semaphore::new(0));
            let free = pool.clone();
            let opener = tokio::spawn(async move {
                tokio::time::sleep(SECOND).await;
                free.add_permits(1);
            });
            settled(async {
                match depth {
                    0 => {
                        let it = cuts_a_set_up(log.clone(), pool);
                        poll_and_drop(it.run(async |()| forever().await));
                    }
                    1 => {
                        let it = cuts_it_in_its_exit(log.clone(), pool);
                        poll_and_drop(it.run(async |()| forever().await));
                    }
                    2 => {
                        let it = cuts_it_in_its_set_up(log.clone(), pool);
                        poll_and_drop(it.run(async |()| forever().await));
                        // Nobody looks until what it leaves has left something in its turn.
                        tokio::time::sleep(SECOND / 2).await;
                        log.push("next");
                    }
                    _ => {
                        async_with!(_around = step(log.clone(), "around", 0), {
                            let it = cuts_a_set_up(log.clone(), pool);
                            poll_and_drop(it.run(async |()| forever().await));
                        });
                        log.push("after");
                    }
                }
            })
            .await;
            log.push("settled");
            let expected = match depth {
                0 => "-cuts +inner -inner settled",
                1 => "-around -cuts +inner -inner settled",
                2 => "-around -cuts next +inner -inner settled",
                _ => "+around -cuts -around after +inner -inner settled",
            };
            assert_eq!(log.line(), expected);
            opener.await.unwrap();
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn settled_that_is_dropped_while_it_waits_passes_its_nest_on() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let inner = step(log.clone(), "inner", 9).run(async |()| forever().await);
            poll_and_drop(settled(async { poll_and_drop(inner) }));
            log.push("next");
        });
        assert_eq!(log.line(), "+outer +inner next -inner -outer");

        // The same with the outer use cancelled too.
        let mut whole = Box::pin(async {
            async_with!(_outer = step(log.clone(), "outer", 2), {
                let inner = step(log.clone(), "inner", 9).run(async |()| forever().await);
                settled(async { poll_and_drop(inner) }).await;
                log.push("next");
            });
        });
        assert!(poll_once(whole.as_mut()).is_pending());
        drop(whole);
        drain().await;
        assert_eq!(log.line(), "+outer +inner -inner -outer");
    });
}

#[test]
fn settled_that_is_dropped_with_its_future_passes_its_nest_on() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(settled(async {
                poll_and_drop(step(log.clone(), "cancelled", 5).run(async |()| forever().await));
                let dropped = step(log.clone(), "dropped", 5);
                dropped.run(async |()| forever().await).await;
            }));
            log.push("next");
        });
    });
    let all = log.take();
    assert_eq!(all[..4], ["+outer", "+cancelled", "+dropped", "next"]);
    assert_eq!(all[6..], ["-outer"], "{all:?}");
}

#[test]
fn a_timeout_around_settled_bounds_it() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let inner = gated(log.clone(), "inner", gate.clone());
            let inner = inner.run(async |()| forever().await);
            let settled = settled(time_out(inner));
            assert!(timeout(3 * SECOND, settled).await.is_err());
            log.push("next");
            gate.notify_one();
        });
    });
    assert_eq!(log.line(), "+outer next -inner -outer");
}

/// Panics when it is dropped, unless the thread is panicking.
struct Mock;

impl Drop for Mock {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            resume_unwind(Box::new("the mock asserts"));
        }
    }
}

#[test]
fn settled_passes_its_nest_on_when_a_destructor_in_it_panics() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let mut settled = Box::pin(settled(async {
                let _mock = Mock;
                poll_and_drop(step(log.clone(), "cancelled", 5).run(async |()| forever().await));
                let dropped = step(log.clone(), "dropped", 5);
                dropped.run(async |()| forever().await).await;
            }));
            assert!(poll_once(settled.as_mut()).is_pending());
            let panic = catch_unwind(AssertUnwindSafe(|| drop(settled))).unwrap_err();
            let message = panic.downcast_ref::<&str>();
            assert_eq!(message, Some(&"the mock asserts"));
        });
    });
    let all = log.take();
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(all[5], "-outer", "{all:?}");
}

#[test]
fn settled_passes_its_nest_on_when_its_future_panics() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let mut settled = Box::pin(settled(async {
                poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
                resume_unwind(Box::new("the future"));
            }));
            let polled = catch_unwind(AssertUnwindSafe(|| poll_once(settled.as_mut())));
            let panic = polled.map(|_| ()).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"the future"));
            drop(settled);
        });
    });
    assert_eq!(log.line(), "+outer +x -x -outer");
}

#[test]
fn settled_keeps_at_most_one_waker() {
    struct Quiet;
    impl Wake for Quiet {
        fn wake(self: Arc<Self>) {}
    }

    let (log, _) = logs();
    paused().block_on(async {
        let inner = gated(log.clone(), "inner", Arc::new(Notify::new()));
        let inner = inner.run(async |()| forever().await);
        let mut settled = Box::pin(settled(async { poll_and_drop(inner) }));
        let mut polled_with = Vec::new();
        for _ in 0..20_000 {
            let quiet = Arc::new(Quiet);
            polled_with.push(Arc::downgrade(&quiet));
            let waker = Waker::from(quiet);
            let polled = settled.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        let kept = polled_with.iter().filter(|waker| waker.strong_count() > 0);
        assert!(kept.count() <= 1);
    });
}

#[test]
fn settled_does_not_wait_for_another_runtime() {
    let (log, reports) = logs();
    let other = workers(1, &reports);
    let gate = Arc::new(Notify::new());
    paused().block_on(async {
        settled(async {
            let _entered = other.enter();
            let inner = gated(log.clone(), "inner", gate.clone());
            poll_and_drop(inner.run(async |()| forever().await));
        })
        .await;
        log.push("settled");
    });
    gate.notify_one();
    other.block_on(drain());
    assert_eq!(log.line(), "settled -inner");
}

#[test]
fn an_inner_settled_waits_first() {
    let (log, _) = logs();
    paused().block_on(async {
        settled(async {
            settled(async {
                poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            })
            .await;
            log.push("inner");
            poll_and_drop(step(log.clone(), "y", 3).run(async |()| forever().await));
        })
        .await;
        log.push("outer");
    });
    assert_eq!(log.line(), "+x -x inner +y -y outer");
}

#[test]
fn settled_waits_in_an_exit_too() {
    #[async_context]
    async fn settles_in_its_exit(log: Log) {
        yield_resource!();
        let x = step(log.clone(), "x", 3).run(async |()| forever().await);
        settled(async { poll_and_drop(x) }).await;
        log.push("-settles");
    }

    let (log, _) = logs();
    paused().block_on(async {
        settles_in_its_exit(log.clone()).run(async |()| ()).await;
        assert_eq!(log.line(), "+x -x -settles");
        poll_and_drop(settles_in_its_exit(log.clone()).run(async |()| forever().await));
        drain().await;
        assert_eq!(log.line(), "+x -x -settles");
    });
}

/// A context whose exit fails.
#[async_context]
async fn fails(log: Log, pending: usize) -> Result<(), &'static str> {
    yield_resource!();
    for _ in 0..pending {
        yield_once().await;
    }
    log.push("-fails");
    Err("disk full")
}

#[test]
fn try_settled_returns_the_output_when_nothing_failed() {
    let (log, _) = logs();
    paused().block_on(async {
        let output = try_settled(async {
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            7
        });
        assert_eq!(output.await.ok(), Some(7));
    });
    assert_eq!(log.line(), "+x -x");
}

#[test]
fn try_settled_returns_the_failures_with_the_output() {
    for pending in [0, 3] {
        let (log, _) = logs();
        paused().block_on(async {
            let time_out_and_return = |context| async {
                time_out(context).await;
                7
            };
            let used = fails(log.clone(), pending).with(async |()| {
                forever().await;
                Ok::<_, &str>(())
            });
            let unsettled = try_settled(time_out_and_return(async { used.await.unwrap() })).await;
            let unsettled = unsettled.map(|_| ()).unwrap_err();
            assert_eq!(unsettled.output, 7);
            assert_eq!(unsettled.failures.len(), 1, "pending {pending}");
            let failure = unsettled.failures[0].to_string();
            assert!(failure.contains("fails"), "{failure}");
            assert!(failure.contains("disk full"), "{failure}");
            log.push("returned");
        });
        assert_eq!(log.line(), "-fails returned");
    }
}

#[test]
fn try_settled_returns_every_kind_of_failure() {
    #[async_context]
    async fn panics() {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        resume_unwind(Box::new("the exit"));
    }
    #[async_context]
    async fn fails_to_enter() -> Result<(), &'static str> {
        yield_once().await;
        yield_once().await;
        yield_once().await;
        if true {
            return Err("no");
        }
        yield_resource!();
        Ok(())
    }

    let (log, _) = logs();
    paused().block_on(async {
        let unsettled = try_settled(async {
            poll_and_drop(panics().run(async |()| forever().await));
            poll_and_drop(fails(log.clone(), 3).with(async |()| {
                forever().await;
                Ok::<_, &str>(())
            }));
            poll_and_drop(fails_to_enter().with(async |()| Ok::<_, &str>(())));
            let hung = sleeps(log.clone(), "hung", 9000);
            let bounded = hung.exit_timeout(SECOND);
            poll_and_drop(bounded.try_with(async |()| {
                forever().await;
                Ok::<_, ()>(())
            }));
            poll_and_drop(step(log.clone(), "fine", 3).run(async |()| forever().await));
        });
        let unsettled = unsettled.await.unwrap_err();
        let mut failures: Vec<_> = unsettled.failures.iter().map(ToString::to_string).collect();
        failures.sort_unstable();
        assert_eq!(failures.len(), 4, "{failures:?}");
        for name in ["panics", "::fails`", "fails_to_enter", "sleeps"] {
            let named = failures.iter().filter(|it| it.contains(name));
            assert_eq!(named.count(), 1, "{name}: {failures:?}");
        }
    });
}

#[test]
fn settled_has_no_time_limit() {
    let (log, reports) = logs();
    paused().block_on(async {
        let inner = sleeps(log.clone(), "inner", 3_600_000);
        settled(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
    });
    assert_eq!(log.line(), "-inner");
    assert_eq!(reports.line(), "");
}

/// An error that cannot be printed.
#[derive(Clone, Copy)]
enum Unprintable {
    /// To print it panics.
    Panics,
    /// To print it fails.
    Fails,
}

impl std::fmt::Debug for Unprintable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("half of it")?;
        match self {
            Self::Panics => resume_unwind(Box::new("the text of an error")),
            Self::Fails => Err(std::fmt::Error),
        }
    }
}

#[test]
fn try_settled_returns_a_failure_whose_error_cannot_be_printed() {
    #[async_context]
    async fn fails_with(error: Unprintable) -> Result<(), Unprintable> {
        yield_resource!();
        Err(error)
    }

    for error in [Unprintable::Panics, Unprintable::Fails] {
        let (_, reports) = logs();
        paused().block_on(async {
            let used = fails_with(error).with(async |()| {
                forever().await;
                Ok::<_, Unprintable>(())
            });
            let unsettled = try_settled(async { poll_and_drop(used) })
                .await
                .unwrap_err();
            assert_eq!(unsettled.failures.len(), 1);
            let failure = &unsettled.failures[0];
            assert!(failure.name().ends_with("fails_with"), "{failure}");
            assert!(
                failure
                    .error()
                    .unwrap()
                    .ends_with("(to print this error failed)"),
                "{failure}"
            );
            let line = failure.to_string();
            assert!(line.contains(": clean-up failed: half of it"), "{line}");
            assert!(line.ends_with("(to print this error failed)"), "{line}");
        });
        assert_eq!(
            reports.line(),
            "fails_with failed: half of it (to print this error failed)"
        );
    }
}

#[test]
fn an_error_that_settled_has_no_caller_for_is_reported() {
    let (log, reports) = logs();
    let leaves = || {
        let x = step(log.clone(), "x", 9).run(async |()| forever().await);
        async { poll_and_drop(x) }
    };
    paused().block_on(async {
        for with_failures in [false, true] {
            for fails in [false, true] {
                let future = async {
                    leaves().await;
                    if fails { Err("disk full") } else { Ok(()) }
                };
                if with_failures {
                    poll_and_drop(try_settled(future));
                } else {
                    poll_and_drop(settled(future));
                }
                drain().await;
                let expected = match (fails, with_failures) {
                    (false, _) => "",
                    (true, false) => {
                        "settled failed: an error of type `core::result::Result<(), &str>`"
                    }
                    (true, true) => {
                        "try_settled failed: an error of type `core::result::Result<(), &str>`"
                    }
                };
                assert_eq!(reports.line(), expected);
            }
        }
        // It is not reported if its caller receives it, nor if it is not ready.
        let ended = settled(async {
            leaves().await;
            Err::<(), _>("disk full")
        });
        assert_eq!(ended.await, Err("disk full"));
        poll_and_drop(settled(async {
            leaves().await;
            forever().await;
            Err::<(), _>("disk full")
        }));
        drain().await;
        assert_eq!(reports.line(), "");
    });
}

#[test]
fn settled_reports_the_panic_of_the_destructor_of_its_error() {
    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(settled(async {
                poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
                Err::<(), _>(Mock)
            }));
        });
    });
    assert_eq!(log.line(), "+outer +x -x -outer");
    let reports = reports.take();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports[0].starts_with("settled failed: an error of type"),
        "{reports:?}"
    );
    assert_eq!(reports[1], "settled panicked: the mock asserts");
}

#[async_context]
async fn fails_slowly() -> Result<(), Failed> {
    yield_resource!();
    tokio::time::sleep(Duration::from_secs(5)).await;
    Err(Failed)
}

/// A use that is dropped when its time is up.
async fn timed_out() {
    let used = fails_slowly().with(async |()| {
        forever().await;
        Ok::<_, Failed>(())
    });
    time_out(used).await;
}

#[test]
fn try_settled_returns_the_errors_of_an_inner_one_that_is_dropped() {
    let (_, reports) = logs();
    paused().block_on(async {
        let inner = try_settled(timed_out());
        let unsettled = try_settled(timeout(3 * SECOND, inner)).await.unwrap_err();
        assert_eq!(unsettled.failures.len(), 1);

        // And only those that the inner one did not return.
        let inner = async {
            let inner = try_settled(timed_out()).await.unwrap_err();
            assert_eq!(inner.failures.len(), 1);
        };
        assert!(try_settled(inner).await.is_ok());
    });
    assert_eq!(reports.line().matches("fails_slowly").count(), 2);
}

#[test]
fn try_settled_returns_the_errors_of_what_the_tasks_of_a_group_have_left() {
    let (_, reports) = logs();
    paused().block_on(async {
        for is_cancelled in [false, true] {
            let used = task_group::<Failed>().with(async |group: &mut TaskGroup<Failed>| {
                group.spawn(async {
                    timed_out().await;
                    Ok(())
                });
                if is_cancelled {
                    forever().await;
                }
                Ok::<_, GroupError<Failed>>(())
            });
            let unsettled = try_settled(timeout(3 * SECOND, used)).await.unwrap_err();
            assert_eq!(unsettled.failures.len(), 1, "{is_cancelled}");
        }
    });
    assert_eq!(reports.line().matches("fails_slowly").count(), 2);
}
