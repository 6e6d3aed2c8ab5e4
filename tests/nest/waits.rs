//! An exit waits for every clean-up that was handed off in the set-up, the block or the exit of its use.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::join_all;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, drain, exit_stack,
    yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};
use tokio::sync::{Notify, oneshot};

use crate::support::{
    Block, CANCELLATIONS, Cancellation, WAYS, Way, cancels_in_its_exit, cancels_in_its_set_up,
    composed, forever, logs, logs_outcome, paused, poll_and_drop, sleeps, step, time_out, using,
    workers,
};

/// An outer use, in whose block an inner use is cancelled. The block logs `next`, and goes on with `then`.
fn cancel_in_a_block(
    outer: Way,
    inner: Way,
    cancellation: Cancellation,
    log: Log,
    then: Block,
) -> Block {
    let block = {
        let log = log.clone();
        async move {
            cancellation
                .cancel(using(inner, log.clone(), "inner", 5, Box::pin(forever())))
                .await;
            log.push("next");
            then.await;
        }
    };
    using(outer, log, "outer", 0, Box::pin(block))
}

fn for_all(check: impl AsyncFn(Way, Way, Cancellation, Log)) {
    let (log, reports) = logs();
    paused().block_on(async {
        for outer in WAYS {
            for inner in WAYS {
                for cancellation in CANCELLATIONS {
                    check(outer, inner, cancellation, log.clone()).await;
                    let line = log.line();
                    let expected = "+outer +inner next -inner -outer";
                    assert_eq!(
                        line, expected,
                        "{outer:?} around {inner:?}, {cancellation:?}"
                    );
                }
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn an_exit_waits_for_every_way_of_using_and_of_cancelling() {
    for_all(async |outer, inner, cancellation, log| {
        let then = Box::pin(std::future::ready(()));
        cancel_in_a_block(outer, inner, cancellation, log, then).await;
    });
}

#[test]
fn a_clean_up_waits_for_every_way_of_using_and_of_cancelling() {
    for_all(async |outer, inner, cancellation, log| {
        let (goes_on, is_going_on) = oneshot::channel();
        let then = async move {
            goes_on.send(()).unwrap();
            forever().await;
        };
        // The outer use is cancelled before the inner exit can go on.
        tokio::select! {
            biased;
            () = cancel_in_a_block(outer, inner, cancellation, log, Box::pin(then)) => panic!("the block should be pending"),
            gone_on = is_going_on => gone_on.unwrap(),
        }
        drain().await;
    });
}

#[test]
fn a_savepoint_that_times_out_is_rolled_back_before_the_transaction_commits() {
    #[async_context]
    async fn transaction(log: Log, commit: &'static str, rollback: &'static str) {
        if yield_resource!().is_completed() {
            log.push(commit);
        } else {
            for _ in 0..5 {
                yield_once().await;
            }
            log.push(rollback);
        }
    }

    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = transaction(log.clone(), "COMMIT", "ROLLBACK"), {
            let inner = transaction(log.clone(), "RELEASE sp", "ROLLBACK TO sp");
            time_out(inner.run(async |()| forever().await)).await;
            log.push("next statement");
        });
    });
    let expected = ["next statement", "ROLLBACK TO sp", "COMMIT"];
    assert_eq!(log.take(), expected);
}

#[test]
fn an_exit_waits_for_a_stack_that_a_question_mark_dropped() {
    async fn constructor(log: Log) -> Result<AsyncExitStack<&'static str>, &'static str> {
        let stack = AsyncExitStack::new();
        let connection = sleeps(log, "connection", 2).with_error();
        stack.enter(connection).await?;
        Err("no")?;
        Ok(stack)
    }
    async fn story(log: Log) -> Result<(), &'static str> {
        async_with!(_pool = sleeps(log.clone(), "pool", 0)?, {
            let mut stack = constructor(log.clone()).await?;
            let closed = stack.close(Outcome::Completed).await;
            closed.map_err(|errors| errors.into_parts().0)?;
        });
        Ok(())
    }

    let (log, _) = logs();
    paused().block_on(async {
        assert_eq!(story(log.clone()).await, Err("no"));
    });
    assert_eq!(log.line(), "-connection -pool");
}

#[test]
fn an_exit_waits_for_a_guard_that_a_question_mark_dropped() {
    async fn story(log: Log) -> Result<(), &'static str> {
        let pool = sleeps(log.clone(), "pool", 0).with_error();
        pool.with(async |()| {
            let Ok(connection) = sleeps(log, "connection", 2).enter().await;
            Err("no")?;
            let Ok(()) = connection.exit().await;
            Ok::<_, &str>(())
        })
        .await
    }

    let (log, _) = logs();
    paused().block_on(async {
        assert_eq!(story(log.clone()).await, Err("no"));
    });
    assert_eq!(log.line(), "-connection -pool");
}

#[test]
fn an_exit_waits_for_everything_that_is_dropped_with_its_block() {
    let (log, _) = logs();
    paused().block_on(async {
        let thing = |name| sleeps(log.clone(), name, 5);
        let last_is_outer = async |future: &mut dyn FnMut() -> Block, what: &str| {
            time_out(future()).await;
            drain().await;
            let all = log.take();
            assert!(all.len() > 1, "{what}: {all:?}");
            assert_eq!(all.last().unwrap(), "-outer", "{what}: {all:?}");
        };
        let outer = |block: Block| -> Block {
            Box::pin(sleeps(log.clone(), "outer", 0).run(async |()| block.await))
        };
        last_is_outer(
            &mut || {
                let all = ["a", "b", "c"].map(|name| thing(name).run(async |()| forever().await));
                outer(Box::pin(join_all(all).map(|_| ())))
            },
            "join_all",
        )
        .await;
        last_is_outer(
            &mut || {
                let entering = thing("guard").enter();
                outer(Box::pin(async {
                    let _guard = entering.await;
                    forever().await;
                }))
            },
            "a guard",
        )
        .await;
        last_is_outer(
            &mut || {
                let stacked = thing("stacked").with_error();
                outer(Box::pin(async {
                    let stack = AsyncExitStack::<&str>::new();
                    stack.enter(stacked).await.unwrap();
                    forever().await;
                }))
            },
            "a stack",
        )
        .await;
        last_is_outer(
            &mut || {
                let boxed = thing("boxed").run(async |()| forever().await).boxed();
                outer(Box::pin(boxed))
            },
            "a boxed future",
        )
        .await;
        last_is_outer(
            &mut || {
                let (x, y) = (thing("x"), thing("y"));
                outer(Box::pin(async {
                    tokio::select! {
                        () = x.run(async |()| forever().await) => {}
                        () = y.run(async |()| forever().await) => {}
                    }
                }))
            },
            "select!",
        )
        .await;
        last_is_outer(
            &mut || {
                let outer = sleeps(log.clone(), "outer", 0).with_error();
                let inner = thing("inner").with_error();
                Box::pin(async {
                    let stack = AsyncExitStack::<&str>::new();
                    stack.enter(outer).await.unwrap();
                    stack.enter(inner).await.unwrap();
                    forever().await;
                })
            },
            "the entries of a stack",
        )
        .await;
    });
}

#[test]
fn nested_uses_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        let whole = async {
            async_with!(
                _a = step(log.clone(), "a", 2),
                _b = step(log.clone(), "b", 2),
                {
                    let c = step(log.clone(), "c", 2);
                    c.run(async |()| forever().await).await;
                }
            );
        };
        poll_and_drop(whole);
        drain().await;
    });
    assert_eq!(log.line(), "+a +b +c -c -b -a");
}

#[test]
fn the_next_outer_use_waits_when_a_block_was_cancelled_too() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_a = step(log.clone(), "a", 0), {
            let b = step(log.clone(), "b", 1).run(async |()| {
                poll_and_drop(step(log.clone(), "c", 5).run(async |()| forever().await));
                forever().await;
            });
            time_out(b).await;
            log.push("next");
        });
    });
    // The timeout ends while `c` is being cleaned up.
    assert_eq!(log.line(), "+a +b +c -c next -b -a");
}

#[test]
fn an_exit_waits_when_the_block_fails_or_panics() {
    let (log, _) = logs();
    paused().block_on(async {
        let inner = || step(log.clone(), "x", 5).run(async |()| forever().await);
        let fails = logs_outcome(log.clone(), "outer", 0).with_error::<&str>();
        let failed = fails.with(async |()| {
            poll_and_drop(inner());
            Err::<(), _>("no")
        });
        assert_eq!(failed.await, Err("no"));
        assert_eq!(log.line(), "+x -x -outer(Failed(()))");

        let panics = logs_outcome(log.clone(), "outer", 0).run(async |()| {
            poll_and_drop(inner());
            resume_unwind(Box::new("broken"));
        });
        assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
        assert_eq!(log.line(), "+x -x -outer(Panicked)");
    });
}

#[test]
fn a_use_that_is_dropped_while_it_settles_keeps_its_nest_and_its_outcome() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outermost = logs_outcome(log.clone(), "outermost", 0), {
            let mut outer = Box::pin(logs_outcome(log.clone(), "outer", 0).run(async |()| {
                poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
            }));
            assert!(poll_once(outer.as_mut()).is_pending());
            assert_eq!(log.line(), "+x", "the outer use waits");
            drop(outer);
            log.push("dropped");
        });
    });
    let expected = "dropped -x -outer(Completed) -outermost(Completed)";
    assert_eq!(log.line(), expected);
}

#[test]
fn a_use_waits_for_a_use_that_its_exit_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        // A use whose caller waits.
        let outer = cancels_in_its_exit(log.clone(), "outer");
        outer.run(async |()| ()).await;
        log.push("over");
        assert_eq!(log.line(), "+x -outer -x over");

        // A use that is cancelled.
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let cancelled = cancels_in_its_exit(log.clone(), "cancelled");
            poll_and_drop(cancelled.run(async |()| forever().await));
        });
        assert_eq!(log.line(), "+outer +x -cancelled -x -outer");

        // A guard.
        let Ok(guard) = cancels_in_its_exit(log.clone(), "guard").enter().await;
        let Ok(()) = guard.exit().await;
        log.push("over");
        assert_eq!(log.line(), "+x -guard -x over");
    });
}

#[test]
fn a_use_waits_before_its_exit_for_a_use_that_its_set_up_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let outer = cancels_in_its_set_up(log.clone(), "outer");
        outer.run(async |()| log.push("block")).await;
        assert_eq!(log.line(), "+x block -x -outer");

        let outer = cancels_in_its_set_up(log.clone(), "outer");
        poll_and_drop(outer.run(async |()| forever().await));
        drain().await;
        assert_eq!(log.line(), "+x -x -outer");

        let Ok(guard) = cancels_in_its_set_up(log.clone(), "guard").enter().await;
        let Ok(()) = guard.exit().await;
        assert_eq!(log.line(), "+x -x -guard");
    });
}

/// A context whose set-up cancels another use, and fails.
#[async_context]
async fn cancels_and_fails_to_enter(log: Log) -> Result<(), &'static str> {
    poll_and_drop(step(log, "x", 3).run(async |()| forever().await));
    if true {
        return Err("no");
    }
    yield_resource!();
    Ok(())
}

#[test]
fn a_set_up_that_fails_waits_for_a_use_that_it_dropped() {
    let (log, _) = logs();
    paused().block_on(async {
        let over = |failed: bool| log.push(if failed { "failed" } else { "entered" });
        let used = cancels_and_fails_to_enter(log.clone()).with(async |()| Ok::<_, &str>(()));
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "with");

        let used = cancels_and_fails_to_enter(log.clone()).try_with(async |()| Ok::<_, &str>(()));
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "try_with");

        over(
            cancels_and_fails_to_enter(log.clone())
                .enter()
                .await
                .is_err(),
        );
        assert_eq!(log.line(), "+x -x failed", "enter");

        let used = async {
            async_with!(_it = cancels_and_fails_to_enter(log.clone())?, {});
            Ok::<_, &str>(())
        };
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "async_with");

        let used = async {
            async_with!(
                join(
                    _it = cancels_and_fails_to_enter(log.clone())?,
                    _beside = step(log.clone(), "beside", 0)
                ),
                {}
            );
            Ok::<_, &str>(())
        };
        over(used.await.is_err());
        let all = log.take();
        let at = |event: &str| all.iter().position(|it| it == event).unwrap();
        assert!(at("-x") < at("failed"), "join: {all:?}");

        let stack = AsyncExitStack::<&str>::new();
        over(
            stack
                .enter(cancels_and_fails_to_enter(log.clone()))
                .await
                .is_err(),
        );
        assert_eq!(log.line(), "+x -x failed", "stack");
    });
}

#[test]
fn a_use_that_is_dropped_while_it_settles_after_a_failed_set_up_passes_its_nest_on() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let fails = cancels_and_fails_to_enter(log.clone());
            poll_and_drop(fails.with(async |()| Ok::<_, &str>(())));
            log.push("next");
        });
    });
    assert_eq!(log.line(), "+outer +x next -x -outer");
}

/// A scoped context, which has no clean-up when it is cancelled.
#[async_context(scoped)]
async fn borrows(log: &Log) {
    yield_resource!();
    log.push("-scoped");
}

#[test]
fn a_scoped_use_settles_in_place_and_passes_its_nest_on_when_it_is_cancelled() {
    let (log, reports) = logs();
    paused().block_on(async {
        let x = || step(log.clone(), "x", 3).run(async |()| forever().await);
        borrows(&log).run(async |()| poll_and_drop(x())).await;
        assert_eq!(log.line(), "+x -x -scoped");

        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(borrows(&log).run(async |()| {
                poll_and_drop(x());
                forever().await;
            }));
            log.push("next");
        });
        assert_eq!(log.line(), "+outer +x next -x -outer");
    });
    assert_eq!(reports.line(), "borrows abandoned");
}

#[test]
fn a_scoped_savepoint_that_is_cancelled_is_reported_and_not_rolled_back() {
    #[async_context(scoped)]
    async fn savepoint<'a>(rows: &'a mut Vec<&'static str>) -> &'a mut Vec<&'static str> {
        let mark = rows.len();
        let mut lent = rows;
        if !yield_resource!(lent).is_completed() {
            lent.truncate(mark);
        }
    }

    let (_, reports) = logs();
    let mut rows = vec!["begin"];
    paused().block_on(time_out(savepoint(&mut rows).run(async |rows| {
        rows.push("debit");
        forever().await;
    })));
    assert_eq!(rows, ["begin", "debit"]);
    assert_eq!(reports.line(), "savepoint abandoned");
}

#[test]
fn every_joined_context_waits_for_a_use_that_the_block_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(
            join(
                _a = step(log.clone(), "a", 0),
                _b = step(log.clone(), "b", 0)
            ),
            {
                poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
            }
        );
        let all = log.take();
        assert_eq!(all[3], "-x", "{all:?}");
        assert_eq!(all.len(), 6, "{all:?}");

        poll_and_drop(async {
            async_with!(
                join(
                    _a = step(log.clone(), "a", 0),
                    _b = step(log.clone(), "b", 0)
                ),
                {
                    poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
                    forever().await;
                }
            );
        });
        drain().await;
        let all = log.take();
        assert_eq!(all[3], "-x", "in the background: {all:?}");
        assert_eq!(all.len(), 6, "{all:?}");
    });
}

#[test]
fn a_joined_context_does_not_wait_for_a_use_that_another_one_drops() {
    /// Cancels a use whose exit ends when the other joined context has exited.
    #[async_context]
    async fn cancels(log: Log, gate: Arc<Notify>, in_set_up: bool) {
        let x = crate::support::gated(log.clone(), "x", gate);
        let x = x.run(async |()| forever().await);
        if in_set_up {
            poll_and_drop(x);
            yield_resource!();
        } else {
            yield_resource!();
            poll_and_drop(x);
        }
        log.push("-cancels");
    }
    #[async_context]
    async fn opens(log: Log, gate: Arc<Notify>) {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        log.push("-opens");
        gate.notify_one();
    }

    let (log, reports) = logs();
    paused().block_on(async {
        for in_set_up in [true, false] {
            for dropped in [false, true] {
                let gate = Arc::new(Notify::new());
                let whole = async {
                    async_with!(
                        join(
                            _cancels = cancels(log.clone(), gate.clone(), in_set_up),
                            _opens = opens(log.clone(), gate.clone())
                        ),
                        {
                            if dropped {
                                forever().await;
                            }
                        }
                    );
                };
                if dropped {
                    poll_and_drop(whole);
                    drain().await;
                } else {
                    whole.await;
                }
                let expected = if in_set_up {
                    "-opens -x -cancels"
                } else {
                    "-cancels -opens -x"
                };
                let line = log.line();
                assert_eq!(line, expected, "set-up {in_set_up}, dropped {dropped}");
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn an_entry_of_a_stack_waits_for_a_use_that_its_exit_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let use_stack = async |goes_on: bool| {
            let used = exit_stack::<&str>().with(async |stack: &mut AsyncExitStack<&str>| {
                stack.enter(step(log.clone(), "a", 0).with_error()).await?;
                let b = cancels_in_its_exit(log.clone(), "b");
                stack.enter(b.with_error()).await?;
                if !goes_on {
                    forever().await;
                }
                Ok::<_, &str>(())
            });
            used.await.unwrap();
        };
        use_stack(true).await;
        assert_eq!(log.line(), "+a +x -b -x -a", "in place");
        poll_and_drop(use_stack(false));
        drain().await;
        assert_eq!(log.line(), "+a +x -b -x -a", "in the background");

        let mut stack = AsyncExitStack::<&str>::new();
        let a = step(log.clone(), "a", 0).with_error();
        stack.enter(a).await.unwrap();
        let b = cancels_in_its_exit(log.clone(), "b").with_error();
        stack.enter(b).await.unwrap();
        stack.close(Outcome::Completed).await.unwrap();
        assert_eq!(log.line(), "+a +x -b -x -a", "closed");
    });
}

#[test]
fn a_callback_of_a_stack_waits_for_a_use_that_it_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let filled = || {
            let stack = AsyncExitStack::<&str>::new();
            let (first, second) = (log.clone(), log.clone());
            stack.callback(move || first.push("-a"));
            stack.defer(async move || {
                poll_and_drop(step(second.clone(), "x", 3).run(async |()| forever().await));
                second.push("-b");
                Ok(())
            });
            stack
        };
        filled().close(Outcome::Completed).await.unwrap();
        assert_eq!(log.line(), "+x -b -x -a", "closed");
        drop(filled());
        drain().await;
        assert_eq!(log.line(), "+x -b -x -a", "dropped");
    });
}

#[test]
fn a_stack_waits_before_it_closes_for_a_use_that_its_block_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let used = exit_stack::<&str>().with(async |stack: &mut AsyncExitStack<&str>| {
            stack.enter(step(log.clone(), "a", 0).with_error()).await?;
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            stack.enter(step(log.clone(), "b", 0).with_error()).await?;
            Ok::<_, &str>(())
        });
        used.await.unwrap();
    });
    assert_eq!(log.line(), "+a +x +b -x -b -a");
}

#[test]
fn a_context_made_of_contexts_waits_before_its_body_goes_on() {
    #[async_context]
    async fn made_of_two(log: Log) {
        async_with!(
            _outer = step(log.clone(), "outer", 0),
            _inner = step(log.clone(), "inner", 0),
            {
                yield_resource!();
                log.push("resumed");
            }
        );
    }

    let (log, _) = logs();
    paused().block_on(async {
        let x = || step(log.clone(), "x", 3).run(async |()| forever().await);
        made_of_two(log.clone())
            .run(async |()| poll_and_drop(x()))
            .await;
        let expected = "+outer +inner +x -x resumed -inner -outer";
        assert_eq!(log.line(), expected);

        poll_and_drop(made_of_two(log.clone()).run(async |()| {
            poll_and_drop(x());
            forever().await;
        }));
        drain().await;
        assert_eq!(log.line(), expected, "in the background");
    });
}

#[test]
fn an_inner_use_of_a_composed_context_waits_for_a_use_that_its_own_block_drops() {
    /// Cancels `x` in the block of `inner`, before or after the yield.
    #[async_context]
    async fn made(log: Log, before: bool) {
        let x = || step(log.clone(), "x", 3).run(async |()| forever().await);
        async_with!(_outer = step(log.clone(), "outer", 0), {
            async_with!(_inner = step(log.clone(), "inner", 0), {
                if before {
                    poll_and_drop(x());
                    yield_resource!();
                } else {
                    yield_resource!();
                    poll_and_drop(x());
                }
            });
        });
        log.push("-made");
    }

    let (log, _) = logs();
    paused().block_on(async {
        for before in [true, false] {
            let expected = "+outer +inner +x -x -inner -outer -made";
            made(log.clone(), before).run(async |()| ()).await;
            assert_eq!(log.line(), expected, "before the yield: {before}");
            poll_and_drop(made(log.clone(), before).run(async |()| forever().await));
            drain().await;
            assert_eq!(log.line(), expected, "dropped, before the yield: {before}");
        }
    });
}

#[test]
fn an_exit_waits_for_all_of_a_composed_context_that_was_cancelled() {
    #[async_context]
    async fn goes_on_after(log: Log) {
        async_with!(_inside = composed(log.clone(), "inside", 2), {
            yield_resource!();
        });
        yield_once().await;
        log.push("-whole");
    }

    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(goes_on_after(log.clone()).run(async |()| forever().await));
            log.push("next");
        });
    });
    assert_eq!(log.line(), "+outer +inside next -inside -whole -outer");
}

#[test]
fn a_clean_up_waits_for_a_use_that_was_cancelled_in_its_block() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            time_out(step(log.clone(), "a", 0).run(async |()| {
                time_out(step(log.clone(), "x", 5).run(async |()| forever().await)).await;
                forever().await;
            }))
            .await;
            log.push("next");
        });
    });
    assert_eq!(log.line(), "+outer +a +x next -x -a -outer");
}

#[test]
fn an_exit_waits_in_a_multi_thread_runtime() {
    let (log, reports) = logs();
    let runtime = workers(2, &reports);
    for _ in 0..200 {
        let log_inside = log.clone();
        let whole = async move {
            async_with!(_outer = step(log_inside.clone(), "outer", 0), {
                poll_and_drop(step(log_inside.clone(), "x", 3).run(async |()| forever().await));
            });
        };
        runtime.block_on(runtime.spawn(whole)).unwrap();
        assert_eq!(log.line(), "+outer +x -x -outer");
    }
}

#[test]
fn a_use_keeps_its_nest_when_it_moves_to_another_thread() {
    let (log, reports) = logs();
    let runtime = workers(1, &reports);
    let mut whole = Box::pin({
        let log = log.clone();
        async move {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
                yield_once().await;
            });
        }
    });
    {
        let _entered = runtime.enter();
        assert!(poll_once(whole.as_mut()).is_pending());
    }
    runtime.block_on(runtime.spawn(whole)).unwrap();
    assert_eq!(log.line(), "+outer +x -x -outer");
}

#[test]
fn the_uses_of_an_aborted_task_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        let whole = {
            let log = log.clone();
            async move {
                async_with!(_outer = step(log.clone(), "outer", 0), {
                    poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
                    forever().await;
                });
            }
        };
        let task = tokio::spawn(whole);
        tokio::task::yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        drain().await;
    });
    assert_eq!(log.line(), "+outer +x -x -outer");
}
