//! An exit waits for every clean-up that was handed off in its block, its set-up or itself.

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
    Block, CUTS, Cut, WAYS, Way, composed, cuts_in_its_exit, cuts_in_its_set_up, forever, logs,
    paused, poll_and_drop, sleeps, step, time_out, told, using, workers,
};

/// An outer use, in whose block an inner one is cut.
fn cut_in_a_block(outer: Way, inner: Way, cut: Cut, log: Log, then: Block) -> Block {
    let block = {
        let log = log.clone();
        async move {
            cut.cut(using(inner, log.clone(), "inner", 5, Box::pin(forever())))
                .await;
            log.push("next");
            then.await;
        }
    };
    using(outer, log, "outer", 0, Box::pin(block))
}

fn for_all(check: impl AsyncFn(Way, Way, Cut, Log)) {
    let (log, reports) = logs();
    paused().block_on(async {
        for outer in WAYS {
            for inner in WAYS {
                for cut in CUTS {
                    check(outer, inner, cut, log.clone()).await;
                    let line = log.line();
                    let expected = "+outer +inner next -inner -outer";
                    assert_eq!(line, expected, "{outer:?} around {inner:?}, {cut:?}");
                }
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn in_place_whatever_the_way_of_using_and_of_cutting() {
    for_all(async |outer, inner, cut, log| {
        let then = Box::pin(std::future::ready(()));
        cut_in_a_block(outer, inner, cut, log, then).await;
    });
}

#[test]
fn in_the_background_whatever_the_way_of_using_and_of_cutting() {
    for_all(async |outer, inner, cut, log| {
        let (goes_on, is_going_on) = oneshot::channel();
        let then = async move {
            goes_on.send(()).unwrap();
            forever().await;
        };
        // Dropped before the inner exit can go on.
        tokio::select! {
            biased;
            () = cut_in_a_block(outer, inner, cut, log, Box::pin(then)) => panic!("it was to be cut"),
            gone_on = is_going_on => gone_on.unwrap(),
        }
        drain().await;
    });
}

#[test]
fn a_savepoint_that_is_timed_out_is_rolled_back_before_the_transaction_commits() {
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
fn a_stack_that_a_question_mark_drops_says_goodbye_first() {
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
fn a_guard_that_a_question_mark_drops_says_goodbye_first() {
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
fn what_is_dropped_together_with_a_use_is_over_before_it() {
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
fn the_next_outer_use_waits_where_the_block_itself_was_cut_too() {
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
    // The second passes while `c` is cleaned up.
    assert_eq!(log.line(), "+a +b +c -c next -b -a");
}

#[test]
fn also_where_the_block_fails_or_panics() {
    let (log, _) = logs();
    paused().block_on(async {
        let inner = || step(log.clone(), "x", 5).run(async |()| forever().await);
        let fails = told(log.clone(), "outer", 0).with_error::<&str>();
        let failed = fails.with(async |()| {
            poll_and_drop(inner());
            Err::<(), _>("no")
        });
        assert_eq!(failed.await, Err("no"));
        assert_eq!(log.line(), "+x -x -outer(Failed(()))");

        let panics = told(log.clone(), "outer", 0).run(async |()| {
            poll_and_drop(inner());
            resume_unwind(Box::new("broken"));
        });
        assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
        assert_eq!(log.line(), "+x -x -outer(Panicked)");
    });
}

#[test]
fn a_use_dropped_while_it_waits_is_handed_off_with_what_it_waits_for_and_its_outcome() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outermost = told(log.clone(), "outermost", 0), {
            let mut outer = Box::pin(told(log.clone(), "outer", 0).run(async |()| {
                poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
            }));
            assert!(poll_once(outer.as_mut()).is_pending());
            assert_eq!(log.line(), "+x", "it waits");
            drop(outer);
            log.push("dropped");
        });
    });
    let expected = "dropped -x -outer(Completed) -outermost(Completed)";
    assert_eq!(log.line(), expected);
}

#[test]
fn a_use_waits_for_what_its_exit_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        // In place.
        let outer = cuts_in_its_exit(log.clone(), "outer");
        outer.run(async |()| ()).await;
        log.push("over");
        assert_eq!(log.line(), "+x -outer -x over");

        // In the background.
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let cut = cuts_in_its_exit(log.clone(), "cut");
            poll_and_drop(cut.run(async |()| forever().await));
        });
        assert_eq!(log.line(), "+outer +x -cut -x -outer");

        // Of a guard.
        let Ok(guard) = cuts_in_its_exit(log.clone(), "guard").enter().await;
        let Ok(()) = guard.exit().await;
        log.push("over");
        assert_eq!(log.line(), "+x -guard -x over");
    });
}

#[test]
fn a_use_waits_before_its_exit_for_what_its_set_up_drops() {
    let (log, _) = logs();
    paused().block_on(async {
        let outer = cuts_in_its_set_up(log.clone(), "outer");
        outer.run(async |()| log.push("block")).await;
        assert_eq!(log.line(), "+x block -x -outer");

        let outer = cuts_in_its_set_up(log.clone(), "outer");
        poll_and_drop(outer.run(async |()| forever().await));
        drain().await;
        assert_eq!(log.line(), "+x -x -outer");

        let Ok(guard) = cuts_in_its_set_up(log.clone(), "guard").enter().await;
        let Ok(()) = guard.exit().await;
        assert_eq!(log.line(), "+x -x -guard");
    });
}

/// Its set-up cuts another use, and fails.
#[async_context]
async fn fails_after_a_cut(log: Log) -> Result<(), &'static str> {
    poll_and_drop(step(log, "x", 3).run(async |()| forever().await));
    if true {
        return Err("no");
    }
    yield_resource!();
    Ok(())
}

#[test]
fn a_set_up_that_fails_is_over_when_what_it_dropped_is() {
    let (log, _) = logs();
    paused().block_on(async {
        let over = |failed: bool| log.push(if failed { "failed" } else { "entered" });
        let used = fails_after_a_cut(log.clone()).with(async |()| Ok::<_, &str>(()));
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "with");

        let used = fails_after_a_cut(log.clone()).try_with(async |()| Ok::<_, &str>(()));
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "try_with");

        over(fails_after_a_cut(log.clone()).enter().await.is_err());
        assert_eq!(log.line(), "+x -x failed", "enter");

        let used = async {
            async_with!(_it = fails_after_a_cut(log.clone())?, {});
            Ok::<_, &str>(())
        };
        over(used.await.is_err());
        assert_eq!(log.line(), "+x -x failed", "async_with");

        let used = async {
            async_with!(
                join(
                    _it = fails_after_a_cut(log.clone())?,
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
        over(stack.enter(fails_after_a_cut(log.clone())).await.is_err());
        assert_eq!(log.line(), "+x -x failed", "stack");
    });
}

#[test]
fn a_use_dropped_while_it_waits_after_a_failed_set_up_passes_it_on() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let fails = fails_after_a_cut(log.clone());
            poll_and_drop(fails.with(async |()| Ok::<_, &str>(())));
            log.push("next");
        });
    });
    assert_eq!(log.line(), "+outer +x next -x -outer");
}

/// A scoped context: it has no clean-up of its own where it is dropped half-way.
#[async_context(scoped)]
async fn borrows(log: &Log) {
    yield_resource!();
    log.push("-scoped");
}

#[test]
fn a_scoped_use_waits_in_place_and_passes_on_what_it_leaves() {
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
fn a_scoped_savepoint_that_is_cut_is_not_rolled_back_and_is_reported() {
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
fn every_member_of_a_join_waits_for_what_the_block_drops() {
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
fn a_member_of_a_join_does_not_wait_for_what_another_ones_set_up_or_exit_drops() {
    /// Cuts a use that ends when the other member has exited.
    #[async_context]
    async fn cuts(log: Log, gate: Arc<Notify>, in_set_up: bool) {
        let x = crate::support::gated(log.clone(), "x", gate);
        let x = x.run(async |()| forever().await);
        if in_set_up {
            poll_and_drop(x);
            yield_resource!();
        } else {
            yield_resource!();
            poll_and_drop(x);
        }
        log.push("-cuts");
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
                            _cuts = cuts(log.clone(), gate.clone(), in_set_up),
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
                    "-opens -x -cuts"
                } else {
                    "-cuts -opens -x"
                };
                let line = log.line();
                assert_eq!(line, expected, "set-up {in_set_up}, dropped {dropped}");
            }
        }
    });
    assert_eq!(reports.line(), "");
}

#[test]
fn an_entry_of_a_stack_is_over_when_what_its_exit_dropped_is() {
    let (log, _) = logs();
    paused().block_on(async {
        let use_stack = async |goes_on: bool| {
            let used = exit_stack::<&str>().with(async |stack: &mut AsyncExitStack<&str>| {
                stack.enter(step(log.clone(), "a", 0).with_error()).await?;
                let b = cuts_in_its_exit(log.clone(), "b");
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
        let b = cuts_in_its_exit(log.clone(), "b").with_error();
        stack.enter(b).await.unwrap();
        stack.close(Outcome::Completed).await.unwrap();
        assert_eq!(log.line(), "+a +x -b -x -a", "closed");
    });
}

#[test]
fn a_callback_of_a_stack_is_over_when_what_it_dropped_is() {
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
fn what_an_entered_stack_uses_beside_it_is_over_before_the_stack_closes() {
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
fn a_context_made_of_contexts_waits_as_a_whole_for_what_the_block_drops() {
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
fn what_the_code_of_a_composed_context_drops_is_over_before_the_use_in_whose_block_it_stands() {
    /// Cuts `x` in the block of `inner`, before and after its own yield.
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
fn a_composed_context_that_is_cut_is_over_as_a_whole() {
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
fn a_clean_up_waits_for_what_its_own_code_drops() {
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
fn on_a_runtime_of_several_threads_too() {
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
fn a_use_that_moves_to_another_thread_while_it_waits_takes_its_nest_along() {
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
fn a_task_that_is_aborted_leaves_its_uses_in_order() {
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
