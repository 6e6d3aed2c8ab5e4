//! What goes on beside a context is dropped before its exit. If a use is dropped with it, the exit waits for that use.

use std::sync::Arc;

use guard_core::{
    AsyncContext, AsyncExitStack, Guard, Outcome, async_context, async_with, drain, exit_stack,
    lazy, nullcontext, optional, scoped_exit_stack, swap, yield_resource,
};
use guard_tests::{Log, poll_once, yield_once};

use crate::support::{forever, logs, paused, poll_and_drop, step};

#[derive(Debug)]
struct Lost;

/// A context beside which there is a use in its block.
#[async_context]
async fn outer(log: Log) -> Result<u32, Lost> {
    let mut number = 1;
    let inside = log.clone();
    yield_resource!(number, async {
        step(inside, "inside", 5)
            .run(async |()| forever().await)
            .await;
        Ok(())
    });
    log.push("-outer");
    Ok(())
}

/// [`outer`] as a guard, which has driven.
async fn guard(log: &Log) -> Guard<impl AsyncContext<Resource = u32, Error = Lost> + use<>> {
    let mut guard = outer(log.clone()).enter().await.unwrap();
    guard.drive(async |_| yield_once().await).await.unwrap();
    guard
}

const IN_ORDER: &str = "+inside -inside -outer";

#[test]
fn every_use_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    let log = &log;
    paused().block_on(async {
        let used = outer(log.clone()).with(async |_| {
            yield_once().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);

        let used = optional(Some(outer(log.clone()))).with(async |_| {
            yield_once().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);

        let used = lazy(|| outer(log.clone())).with(async |lazy| {
            lazy.get().await?;
            yield_once().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);

        let used = async {
            async_with!(join(_it = outer(log.clone())?, _other = nullcontext(1)), {
                yield_once().await;
            });
            Ok::<_, Lost>(())
        };
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);
    });
}

#[test]
fn the_exit_of_a_guard_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    paused().block_on(async {
        guard(&log).await.exit().await.unwrap();
        assert_eq!(log.line(), IN_ORDER);

        drop(guard(&log).await);
        drain().await;
        assert_eq!(log.line(), IN_ORDER);

        drop(guard(&log).await.exit());
        drain().await;
        assert_eq!(log.line(), IN_ORDER);
    });
}

#[test]
fn a_guard_whose_body_is_dropped_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_use = step(log.clone(), "use", 0), {
            poll_and_drop(async {
                let _guard = guard(&log).await;
                forever().await;
            });
        });
    });
    assert_eq!(log.line(), "+use +inside -inside -outer -use");
}

#[test]
fn the_exit_of_a_context_that_is_replaced_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    paused().block_on(async {
        let used = swap(outer(log.clone())).with(async |swap| {
            yield_once().await;
            swap.replace(outer(Log::new())).await?;
            log.push("replaced");
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
    });
    assert_eq!(log.line(), "+inside -inside -outer replaced");
}

#[test]
fn the_exit_of_a_context_whose_replacement_is_given_up_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    paused().block_on(async {
        let used = swap(outer(log.clone())).with(async |swap| {
            yield_once().await;
            let reads = swap.current();
            // It waits for the reader.
            poll_and_drop(swap.replace(outer(Log::new())));
            drop(reads);
            drain().await;
            assert_eq!(log.line(), IN_ORDER);

            // It waits for what was beside the former one.
            let quiet = Log::new();
            poll_and_drop(swap.replace(outer(quiet.clone())));
            drain().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
    });
}

#[test]
fn the_exit_of_an_entry_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    let log = &log;
    paused().block_on(async {
        for is_closed in [false, true] {
            let used = exit_stack::<Lost>().with(async |stack| {
                stack.enter(outer(log.clone())).await?;
                yield_once().await;
                if is_closed {
                    stack.close(Outcome::Completed).await.unwrap();
                } else {
                    stack.release(stack.last_key().unwrap()).await?;
                }
                log.push("closed");
                Ok::<_, Lost>(())
            });
            used.await.unwrap();
            assert_eq!(log.line(), "+inside -inside -outer closed", "{is_closed}");
        }

        let used = exit_stack::<Lost>().with(async |stack| {
            let key = stack.enter_keyed(outer(log.clone())).await?;
            yield_once().await;
            stack.release(key).await?;
            log.push("closed");
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), "+inside -inside -outer closed");

        let used = exit_stack::<Lost>().with(async |stack| {
            stack.enter(outer(log.clone())).await?;
            yield_once().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);
    });
}

#[test]
fn an_entry_that_is_moved_to_another_stack_and_dropped_waits_for_what_was_beside_it() {
    let (log, _) = logs();
    let log = &log;
    paused().block_on(async {
        let used = exit_stack::<Lost>().with(async |stack| {
            stack.enter(outer(log.clone())).await?;
            yield_once().await;
            let moved: AsyncExitStack<Lost> = stack.pop_all();
            drop(moved);
            drain().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);

        let used = scoped_exit_stack::<Lost>().with(async |stack| {
            stack.enter(outer(log.clone())).await?;
            yield_once().await;
            drop(stack.pop_all());
            drain().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
        assert_eq!(log.line(), IN_ORDER);
    });
}

#[test]
fn an_entry_whose_stack_is_dropped_while_it_is_driven_waits_for_what_was_beside_it() {
    /// Drops what it is given while it is polled, and holds a use.
    #[async_context]
    async fn drops(
        log: Log,
        stacks: Arc<std::sync::Mutex<Option<AsyncExitStack<Lost>>>>,
    ) -> Result<u32, Lost> {
        let mut number = 1;
        let inside = log.clone();
        yield_resource!(number, async {
            let mut using = Box::pin(step(inside, "inside", 5).run(async |()| forever().await));
            assert!(poll_once(using.as_mut()).is_pending());
            yield_once().await;
            drop(stacks.lock().unwrap().take());
            forever().await;
            drop(using);
            Ok(())
        });
        log.push("-outer");
        Ok(())
    }

    let (log, _) = logs();
    let stacks = Arc::new(std::sync::Mutex::new(None));
    paused().block_on(async {
        let used = exit_stack::<Lost>().with(async |stack| {
            stack.enter(drops(log.clone(), stacks.clone())).await?;
            yield_once().await;
            *stacks.lock().unwrap() = Some(std::mem::take(stack));
            for _ in 0..3 {
                yield_once().await;
            }
            drain().await;
            Ok::<_, Lost>(())
        });
        used.await.unwrap();
    });
    assert_eq!(log.line(), IN_ORDER);
}
