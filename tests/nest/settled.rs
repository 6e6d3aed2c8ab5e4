//! `settled(future)` is ready when the future is, and when all that was dropped unfinished in it is cleaned up.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, async_context, async_with, drain, settled, try_settled,
    yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::support::{
    CUTS, Failed, WAYS, forever, gated, logs, paused, poll_and_drop, pooled, sleeps, step,
    time_out, using, workers,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_waits_before_the_block_goes_on_whatever_the_way_of_using_and_of_cutting() {
    let (log, reports) = logs();
    paused().block_on(async {
        for way in WAYS {
            for cut in CUTS {
                async_with!(_outer = step(log.clone(), "outer", 0), {
                    let inner = using(way, log.clone(), "inner", 5, Box::pin(forever()));
                    settled(cut.cut(inner)).await;
                    log.push("next");
                });
                let expected = "+outer +inner -inner next -outer";
                assert_eq!(log.line(), expected, "{way:?}, {cut:?}");
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn it_cancels_and_waits_as_pythons_timeout_does() {
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

        // Cancelled as a whole while it settles.
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
fn it_gives_what_the_future_gives() {
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
fn with_nothing_left_it_is_ready_with_its_future() {
    let mut settled = Box::pin(settled(std::future::ready(7)));
    assert!(poll_once(settled.as_mut()).is_ready());
}

#[test]
fn set_ups_are_included() {
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
fn guards_and_stacks_are_included() {
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
fn what_a_clean_up_drops_in_its_turn_is_included() {
    let (log, _) = logs();
    paused().block_on(async {
        let inner = crate::support::cuts_in_its_exit(log.clone(), "inner");
        settled(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
        log.push("settled");
    });
    assert_eq!(log.line(), "+x -inner -x settled");
}

#[test]
fn set_ups_that_a_clean_up_drops_in_its_turn_are_included() {
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

    let (log, reports) = logs();
    paused().block_on(async {
        for depth in 0..3 {
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
                _ => "+around -cuts -around after +inner -inner settled",
            };
            assert_eq!(log.line(), expected);
            opener.await.unwrap();
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn dropped_while_it_settles_it_passes_on_what_is_left() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let inner = step(log.clone(), "inner", 9).run(async |()| forever().await);
            poll_and_drop(settled(async { poll_and_drop(inner) }));
            log.push("next");
        });
        assert_eq!(log.line(), "+outer +inner next -inner -outer");

        // In the background.
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
fn dropped_before_its_future_is_ready_it_passes_on_all() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(settled(async {
                poll_and_drop(step(log.clone(), "cut", 5).run(async |()| forever().await));
                let dropped = step(log.clone(), "dropped", 5);
                dropped.run(async |()| forever().await).await;
            }));
            log.push("next");
        });
    });
    let all = log.take();
    assert_eq!(all[..4], ["+outer", "+cut", "+dropped", "next"]);
    assert_eq!(all[6..], ["-outer"], "{all:?}");
}

#[test]
fn a_time_out_around_it_bounds_it() {
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

/// Panics when it is dropped, unless the thread panics anyway.
struct Mock;

impl Drop for Mock {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            resume_unwind(Box::new("the mock asserts"));
        }
    }
}

#[test]
fn dropped_with_a_destructor_that_panics_it_passes_on_what_is_left() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let mut settled = Box::pin(settled(async {
                let _mock = Mock;
                poll_and_drop(step(log.clone(), "cut", 5).run(async |()| forever().await));
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
fn a_panic_of_its_future_goes_on_and_what_is_left_is_passed_on() {
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
fn it_keeps_one_waker_of_all_that_polled_it() {
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
fn what_goes_on_in_another_runtime_is_not_waited_for() {
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
fn one_in_another_settles_first() {
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
fn in_an_exit_it_waits_as_well() {
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

/// Its exit fails.
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
fn try_settled_gives_what_the_future_gives_where_nothing_failed() {
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
fn try_settled_tells_what_failed_so_that_an_outer_transaction_need_not_commit() {
    for pending in [0, 3] {
        let (log, _) = logs();
        paused().block_on(async {
            let cut = |context| async {
                time_out(context).await;
                7
            };
            let used = fails(log.clone(), pending).with(async |()| {
                forever().await;
                Ok::<_, &str>(())
            });
            let unsettled = try_settled(cut(async { used.await.unwrap() })).await;
            let unsettled = unsettled.map(|_| ()).unwrap_err();
            assert_eq!(unsettled.output, 7);
            assert_eq!(unsettled.failures.len(), 1, "pending {pending}");
            let failure = unsettled.failures[0].to_string();
            assert!(failure.contains("fails"), "{failure}");
            assert!(failure.contains("disk full"), "{failure}");
            log.push("told");
        });
        assert_eq!(log.line(), "-fails told");
    }
}

#[test]
fn try_settled_tells_of_every_kind_of_failure() {
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
fn it_waits_for_as_long_as_it_takes() {
    let (log, reports) = logs();
    paused().block_on(async {
        let inner = sleeps(log.clone(), "inner", 3_600_000);
        settled(async { poll_and_drop(inner.run(async |()| forever().await)) }).await;
    });
    assert_eq!(log.line(), "-inner");
    assert_eq!(reports.line(), "");
}
