//! Guards and owned stacks have no block: a use that is cancelled while they are held belongs to the use
//! around them. Guards of one block exit in the reverse order of entering.

use std::convert::Infallible;

use guard_core::{
    AsyncContext, AsyncExitStack, BoxContext, Guard, Outcome, async_context, async_with, drain,
    swap, yield_resource,
};
use guard_tests::{Log, yield_once};

use crate::support::{
    Failed, WAYS, forever, logs, paused, poll_and_drop, step, time_out, using, workers,
};

#[test]
fn guards_of_one_body_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        for way in WAYS {
            let body = {
                let log = log.clone();
                async move {
                    let _a = step(log.clone(), "a", 0).enter().await;
                    let _b = step(log.clone(), "b", 2).enter().await;
                    let _c = step(log.clone(), "c", 4).enter().await;
                    forever().await;
                }
            };
            poll_and_drop(using(way, log.clone(), "use", 0, Box::pin(body)));
            drain().await;
            let expected = "+use +a +b +c -c -b -a -use";
            assert_eq!(log.line(), expected, "{way:?}");
        }
    });
}

#[test]
fn guards_exit_from_the_inside_out_when_the_body_ends() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let _a = step(log.clone(), "a", 0).enter().await;
            let _b = step(log.clone(), "b", 4).enter().await;
        });
    });
    assert_eq!(log.line(), "+use +a +b -b -a -use");
}

#[test]
fn guards_without_a_use_around_them_start_in_order_and_do_not_wait() {
    #[async_context]
    async fn begins(log: Log, name: &'static str, pending: usize) {
        yield_resource!();
        log.push(format_args!("~{name}"));
        for _ in 0..pending {
            yield_once().await;
        }
        log.push(format_args!("-{name}"));
    }

    let (log, _) = logs();
    paused().block_on(async {
        poll_and_drop(async {
            let _outer = begins(log.clone(), "outer", 0).enter().await;
            let _inner = begins(log.clone(), "inner", 3).enter().await;
            forever().await;
        });
        drain().await;
    });
    assert_eq!(log.line(), "~inner ~outer -outer -inner");
}

#[test]
fn the_use_around_a_guard_waits_for_what_is_cancelled_while_the_guard_is_held() {
    let (log, _) = logs();
    paused().block_on(async {
        let cancelled = || step(log.clone(), "x", 5).run(async |()| forever().await);
        // Without a use around the guard nobody waits.
        let Ok(guard) = step(log.clone(), "guard", 0).enter().await;
        poll_and_drop(cancelled());
        let Ok(()) = guard.exit().await;
        assert_eq!(log.line(), "+guard +x -guard");
        drain().await;
        assert_eq!(log.line(), "-x");

        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(guard) = step(log.clone(), "guard", 0).enter().await;
            poll_and_drop(cancelled());
            let Ok(()) = guard.exit().await;
        });
        assert_eq!(log.line(), "+use +guard +x -guard -x -use");
    });
}

#[test]
fn the_use_around_a_stack_waits_for_what_is_cancelled_while_the_stack_is_held() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let mut stack = AsyncExitStack::<Failed>::new();
            let entry = step(log.clone(), "entry", 0).with_error();
            stack.enter(entry).await.unwrap();
            poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
            stack.close(Outcome::Completed).await.unwrap();
        });
    });
    assert_eq!(log.line(), "+use +entry +x -entry -x -use");
}

#[test]
fn a_guard_waits_for_a_later_guard_that_was_dropped_before_it() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 0).enter().await;
            let Ok(second) = step(log.clone(), "second", 5).enter().await;
            drop(second);
            let Ok(()) = first.exit().await;
            log.push("next");
        });
    });
    assert_eq!(log.line(), "+use +first +second -second -first next -use");
}

#[test]
fn guards_that_are_dropped_one_by_one_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 0).enter().await;
            let Ok(second) = step(log.clone(), "second", 0).enter().await;
            let Ok(third) = step(log.clone(), "third", 5).enter().await;
            drop(third);
            drop(second);
            drop(first);
        });
    });
    let expected = "+use +first +second +third -third -second -first -use";
    assert_eq!(log.line(), expected);
}

/// Holds two guards while it waits in its set-up.
#[async_context(scoped)]
async fn scoped_with_guards(log: Log) {
    let _first = step(log.clone(), "first", 0).enter().await;
    let _second = step(log.clone(), "second", 5).enter().await;
    forever().await;
    yield_resource!();
}

#[test]
fn guards_in_the_set_up_of_a_context_that_is_dropped_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            poll_and_drop(scoped_with_guards(log.clone()).run(async |()| ()));
        });
    });
    assert_eq!(log.line(), "+use +first +second -second -first -use");
}

/// Holds two guards while its resource is lent.
#[async_context]
async fn with_guards(log: Log) {
    let _first = step(log.clone(), "first", 0).enter().await;
    let _second = step(log.clone(), "second", 5).enter().await;
    yield_resource!();
    yield_once().await;
    log.push("-context");
}

#[test]
fn guards_in_a_context_that_is_handed_off_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        poll_and_drop(with_guards(log.clone()).run(async |()| forever().await));
        drain().await;
    });
    assert_eq!(log.line(), "+first +second -context -second -first");
}

#[test]
fn a_guard_that_is_dropped_first_does_not_wait_for_later_guards() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 1).enter().await;
            let Ok(second) = step(log.clone(), "second", 5).enter().await;
            drop(first);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            assert_eq!(log.line(), "+use +first +second -first");
            drop(second);
        });
    });
    assert_eq!(log.line(), "-second -use");
}

#[test]
fn guards_of_several_runtimes_do_not_wait_for_each_other() {
    let (log, reports) = logs();
    let idle = workers(1, &reports);
    let here = paused();
    here.block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 0).enter().await;
            let hung = crate::support::never(log.clone(), "elsewhere");
            let second = {
                let _entered = idle.enter();
                let mut entering = Box::pin(hung.enter());
                match guard_tests::poll_once(entering.as_mut()) {
                    std::task::Poll::Ready(Ok(guard)) => guard,
                    std::task::Poll::Pending => panic!("the context enters in the first poll"),
                }
            };
            drop(second);
            let Ok(()) = first.exit().await;
        });
    });
    assert_eq!(log.line(), "+use +first ~elsewhere -first -use");
}

#[test]
fn a_use_waits_for_a_dropped_stack_and_a_guard_does_not() {
    let (log, _) = logs();
    paused().block_on(async {
        let body = {
            let log = log.clone();
            async move {
                let _guard = step(log.clone(), "guard", 0).enter().await;
                let stack = AsyncExitStack::<Failed>::new();
                let _ = stack.enter(step(log.clone(), "a", 0).with_error()).await;
                let _ = stack.enter(step(log.clone(), "b", 5).with_error()).await;
                forever().await;
            }
        };
        time_out(step(log.clone(), "use", 0).run(async |()| body.await)).await;
        drain().await;
    });
    let all = log.take();
    let at = |event: &str| all.iter().position(|it| it == event).unwrap();
    assert!(at("-b") < at("-a"), "{all:?}");
    assert_eq!(all.last().unwrap(), "-use", "{all:?}");
    assert_eq!(all.len(), 8, "{all:?}");
}

#[test]
fn a_use_waits_for_a_dropped_guard_and_a_dropped_stack() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let stack = AsyncExitStack::<Failed>::new();
            let entry = step(log.clone(), "entry", 1).with_error();
            let _ = stack.enter(entry).await;
            let guard = step(log.clone(), "guard", 5).enter().await;
            drop(guard);
            drop(stack);
        });
    });
    let all = log.take();
    assert_eq!(all.last().unwrap(), "-use", "{all:?}");
    assert_eq!(all.len(), 6, "{all:?}");
}

/// A context that holds a guard while its resource is lent.
#[async_context]
async fn transaction(log: Log) {
    let Ok(connection) = step(log.clone(), "connection", 1).enter().await;
    yield_resource!();
    log.push("commit");
    let Ok(()) = connection.exit().await;
}

#[test]
fn a_use_waits_for_a_guard_of_its_block_though_its_context_holds_an_older_one() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_transaction = transaction(log.clone()), {
            let _savepoint = step(log.clone(), "savepoint", 3).enter().await;
        });
    });
    let expected = "+connection +savepoint -savepoint commit -connection";
    assert_eq!(log.line(), expected);
}

#[test]
fn a_use_waits_for_a_guard_whose_older_one_leaves_the_block() {
    let (log, _) = logs();
    paused().block_on(async {
        let client = async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(client) = step(log.clone(), "client", 0).enter().await;
            let _savepoint = step(log.clone(), "savepoint", 3).enter().await;
            client
        });
        assert_eq!(log.line(), "+use +client +savepoint -savepoint -use");
        let Ok(()) = client.exit().await;
    });
    assert_eq!(log.line(), "-client");
}

/// Owns an older guard, and exits it.
#[async_context]
async fn owner(log: Log, owned: Guard<BoxContext<'static, (), Infallible>>) {
    yield_resource!();
    yield_once().await;
    let Ok(()) = owned.exit().await;
    log.push("-owner");
}

#[test]
fn a_guards_clean_up_that_exits_an_older_guard_does_not_wait_for_itself() {
    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(owned) = step(log.clone(), "owned", 1).boxed().enter().await;
            let guard = owner(log.clone(), owned).enter().await;
            drop(guard);
        });
    });
    assert_eq!(log.line(), "+use +owned -owned -owner -use");
    assert_eq!(reports.line(), "");
}

#[test]
fn guards_that_are_opened_before_and_after_a_hand_off_exit_from_the_inside_out() {
    #[async_context]
    async fn around_its_set_up(log: Log) {
        let _first = step(log.clone(), "first", 0).enter().await;
        yield_once().await;
        let _second = step(log.clone(), "second", 5).enter().await;
        yield_resource!();
    }

    #[async_context]
    async fn around_its_yield(log: Log) {
        let _first = step(log.clone(), "first", 0).enter().await;
        yield_resource!();
        yield_once().await;
        let _second = step(log.clone(), "second", 5).enter().await;
    }

    let (log, _) = logs();
    paused().block_on(async {
        poll_and_drop(around_its_set_up(log.clone()).run(async |()| forever().await));
        drain().await;
        assert_eq!(log.line(), "+first +second -second -first");
        poll_and_drop(around_its_yield(log.clone()).run(async |()| forever().await));
        drain().await;
        assert_eq!(log.line(), "+first +second -second -first");
    });
}

#[test]
fn guards_in_a_context_that_is_swapped_exit_from_the_inside_out() {
    let (log, _) = logs();
    paused().block_on(async {
        swap(with_guards(log.clone())).run(async |_| ()).await;
        assert_eq!(log.line(), "+first +second -context -second -first");
        poll_and_drop(swap(with_guards(log.clone())).run(async |_| forever().await));
        drain().await;
        assert_eq!(log.line(), "+first +second -context -second -first");
    });
}

#[test]
fn a_swapped_context_waits_for_what_its_set_up_dropped() {
    #[async_context]
    async fn drops_in_its_set_up(log: Log, fails: bool) -> Result<(), Failed> {
        poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
        if fails {
            return Err(Failed);
        }
        yield_resource!();
        log.push("-context");
        Ok(())
    }

    let (log, _) = logs();
    paused().block_on(async {
        let used =
            swap(drops_in_its_set_up(log.clone(), false)).with(async |_| Ok::<_, Failed>(()));
        used.await.unwrap();
        assert_eq!(log.line(), "+x -x -context");
        let used = swap(drops_in_its_set_up(log.clone(), true)).with(async |_| Ok::<_, Failed>(()));
        assert!(used.await.is_err());
        assert_eq!(log.line(), "+x -x");
    });
}

#[test]
fn an_error_of_an_entry_whose_release_is_given_up_is_reported() {
    #[async_context]
    async fn entry(log: Log) -> Result<(), Failed> {
        yield_resource!();
        poll_and_drop(step(log, "x", 3).run(async |()| forever().await));
        Err(Failed)
    }

    let (log, reports) = logs();
    paused().block_on(async {
        let mut stack = AsyncExitStack::<Failed>::new();
        stack.enter(entry(log.clone())).await.unwrap();
        let key = stack.last_key().unwrap();
        poll_and_drop(stack.release(key));
        assert!(reports.line().starts_with("entry failed"));
        stack.close(Outcome::Completed).await.unwrap();
    });
}

#[test]
fn an_exit_that_has_ended_and_is_kept_does_not_come_between_two_guards() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 0).enter().await;
            let Ok(second) = step(log.clone(), "second", 0).enter().await;
            let Ok(third) = step(log.clone(), "third", 5).enter().await;
            let mut exit = std::pin::pin!(second.exit());
            let Ok(()) = exit.as_mut().await;
            drop(third);
            let Ok(()) = first.exit().await;
        });
    });
    let expected = "+use +first +second +third -second -third -first -use";
    assert_eq!(log.line(), expected);
}

#[test]
fn an_exit_that_has_panicked_and_is_kept_does_not_come_between_two_guards() {
    #[async_context]
    async fn panics() {
        yield_resource!();
        std::panic::panic_any("exit");
    }

    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            let Ok(first) = step(log.clone(), "first", 0).enter().await;
            let Ok(second) = panics().enter().await;
            let Ok(third) = step(log.clone(), "third", 5).enter().await;
            let mut exit = std::pin::pin!(second.exit());
            let exited = std::panic::AssertUnwindSafe(exit.as_mut());
            assert!(futures::FutureExt::catch_unwind(exited).await.is_err());
            drop(third);
            let Ok(()) = first.exit().await;
        });
    });
    let expected = "+use +first +third -third -first -use";
    assert_eq!(log.line(), expected);
}
