//! Contexts that catch: they get the body's error and decide whether to swallow, replace or return it.

use std::future::pending;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, exit_stack, suppress,
    yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::reports;

#[derive(Debug, PartialEq)]
enum Failure {
    Small,
    Big,
    Replaced(Box<Failure>),
    CleanUp,
}
use Failure::{Big, CleanUp, Replaced, Small};

/// A context that swallows `Small`, replaces `Big`, and returns every other error.
#[async_context(catch)]
async fn judge(log: Log, name: &'static str) -> Result<u32, Failure> {
    let mut lent = 1;
    match yield_resource!(lent) {
        Outcome::Failed(Small) => {
            log.push(format_args!("{name} swallows"));
            Ok(())
        }
        Outcome::Failed(Big) => {
            log.push(format_args!("{name} replaces"));
            Err(Replaced(Box::new(Big)))
        }
        Outcome::Failed(error) => {
            log.push(format_args!("{name} returns"));
            Err(error)
        }
        other => {
            log.push(format_args!("{name} sees {other:?}"));
            Ok(())
        }
    }
}

#[test]
fn a_body_that_succeeds_returns_its_value() {
    let log = Log::new();
    let caught = block_on(judge(log.clone(), "judge").catch(async |lent| {
        *lent += 1;
        Ok(*lent)
    }));
    assert_eq!(caught, Ok(Some(2)));
    assert_eq!(log.line(), "judge sees Completed");
}

#[test]
fn an_error_is_swallowed_replaced_or_returned() {
    let log = Log::new();
    let caught = |error| block_on(judge(log.clone(), "judge").catch(async |_| Err::<(), _>(error)));
    assert_eq!(caught(Small), Ok(None));
    assert_eq!(log.line(), "judge swallows");
    assert_eq!(caught(Big), Err(Replaced(Box::new(Big))));
    assert_eq!(log.line(), "judge replaces");
    assert_eq!(caught(CleanUp), Err(CleanUp));
    assert_eq!(log.line(), "judge returns");
}

#[test]
fn an_error_of_the_set_up_is_not_caught() {
    #[async_context(catch)]
    async fn closed() -> Result<(), Failure> {
        if true {
            return Err(Small);
        }
        let _swallowed = yield_resource!();
        Ok(())
    }
    let caught = block_on(closed().catch(async |()| Ok(())));
    assert_eq!(caught, Err(Small));
}

#[test]
fn a_panic_is_not_caught() {
    let log = Log::new();
    let panics = judge(log.clone(), "judge")
        .catch(async |_| -> Result<(), Failure> { std::panic::panic_any("ouch") });
    let panic = block_on(AssertUnwindSafe(panics).catch_unwind()).unwrap_err();
    assert_eq!(
        panic.downcast_ref(),
        Some(&"ouch"),
        "a panic cannot be swallowed"
    );
    assert_eq!(log.line(), "judge sees Panicked");
}

#[test]
fn a_cancellation_is_not_caught() {
    let log = Log::new();
    let used = judge(log.clone(), "judge").catch(async |_| pending::<Result<(), Failure>>().await);
    let mut used = Box::pin(used);
    assert!(poll_once(used.as_mut()).is_pending());
    drop(used);
    assert_eq!(log.line(), "judge sees Cancelled");
}

#[test]
fn an_outer_context_does_not_get_an_error_that_an_inner_one_swallowed() {
    let log = Log::new();
    let nested = |error| {
        let (outer, inner) = (judge(log.clone(), "outer"), judge(log.clone(), "inner"));
        block_on(outer.catch(async move |_| inner.catch(async |_| Err::<(), _>(error)).await))
    };
    assert_eq!(nested(Small), Ok(Some(None)));
    assert_eq!(log.line(), "inner swallows outer sees Completed");
    assert_eq!(nested(Big), Err(Replaced(Box::new(Big))));
    assert_eq!(log.line(), "inner replaces outer returns");
}

#[test]
fn a_context_inside_a_catching_one_gets_failed_and_one_outside_gets_completed() {
    #[async_context]
    async fn watch(log: Log, name: &'static str) -> Result<(), Failure> {
        let outcome = yield_resource!();
        log.push(format_args!("{name} sees {outcome:?}"));
        Ok(())
    }
    async fn used(log: Log) -> Result<(), Failure> {
        async_with!(_outside = watch(log.clone(), "outside")?, {
            let caught = judge(log.clone(), "judge").catch(async |_| {
                async_with!(_inside = watch(log.clone(), "inside")?, {
                    Err::<(), _>(Small)?;
                });
                Ok(())
            });
            assert_eq!(caught.await?, None);
        });
        Ok(())
    }

    let log = Log::new();
    assert_eq!(block_on(used(log.clone())), Ok(()));
    assert_eq!(
        log.line(),
        "inside sees Failed(()) judge swallows outside sees Completed"
    );
}

#[test]
fn a_catching_context_can_be_made_of_other_contexts() {
    #[async_context]
    async fn watch(log: Log) -> Result<u32, Failure> {
        let mut lent = 2;
        let outcome = yield_resource!(lent);
        log.push(format_args!("inner sees {outcome:?}"));
        Ok(())
    }
    #[async_context(catch)]
    async fn composed(log: Log) -> Result<u32, Failure> {
        async_with!(inner = watch(log)?, {
            match yield_resource!(*inner) {
                Outcome::Failed(Small) => return Ok(()),
                Outcome::Failed(error) => return Err(error),
                _ => {}
            }
        });
        Ok(())
    }

    let log = Log::new();
    let caught = |error| block_on(composed(log.clone()).catch(async |_| Err::<(), _>(error)));
    assert_eq!(caught(Small), Ok(None));
    assert_eq!(log.line(), "inner sees Completed", "the error was handled");
    assert_eq!(caught(Big), Err(Big));
    assert_eq!(log.line(), "inner sees Failed(())");
}

#[test]
fn a_catching_context_that_is_dropped_is_cleaned_up_in_the_background() {
    #[async_context(catch)]
    async fn slow(log: Log) -> Result<(), Failure> {
        let outcome = yield_resource!();
        log.push(format_args!("{outcome:?}"));
        yield_once().await;
        log.push("over");
        match outcome {
            Outcome::Failed(error) => Err(error),
            _ => Ok(()),
        }
    }

    let log = Log::new();
    let caught = block_on(slow(log.clone()).catch(async |()| Err::<(), _>(Big)));
    assert_eq!(
        (caught, log.line().as_str()),
        (Err(Big), "Failed(Big) over")
    );

    reports::collect();
    let mut used = Box::pin(slow(log.clone()).catch(async |()| Err::<(), _>(Small)));
    assert!(poll_once(used.as_mut()).is_pending());
    drop(used);
    assert_eq!(log.line(), "Failed(Small) over");
    assert_eq!(
        reports::take(),
        ["Failed(Small)"],
        "the error has no caller"
    );
}

#[test]
fn suppress_swallows_the_errors_of_its_predicate() {
    let small = suppress(|error: &Failure| *error == Small);
    let caught = |error| block_on(small.catch(async |()| Err::<(), _>(error)));
    assert_eq!(caught(Small), Ok(None));
    assert_eq!(caught(Small), Ok(None), "the context can be used again");
    assert_eq!(caught(Big), Err(Big));
    assert_eq!(block_on(small.catch(async |()| Ok(7))), Ok(Some(7)));
    // As a context itself.
    let nested = small.catch(async |()| {
        assert_eq!(small.catch(async |()| Err::<(), _>(Small)).await?, None);
        Err::<(), _>(Small)
    });
    assert_eq!(block_on(nested), Ok(None));
    assert_eq!(format!("{small:?}"), "Suppress");
}

/// The result of a use of a catching stack that `fill` has filled.
fn used(
    fill: impl AsyncFnOnce(&AsyncExitStack<Failure, guard_core::exit_stack_parts::Catching>),
    body: Result<u32, Failure>,
) -> Result<Option<u32>, Failure> {
    let stack = exit_stack::<Failure>().catching();
    block_on(stack.catch(async |stack| {
        fill(stack).await;
        body
    }))
}

#[test]
fn an_entry_of_a_catching_stack_decides_like_a_context() {
    let log = Log::new();
    let fill = async |stack: &AsyncExitStack<_, _>| {
        let lent = stack
            .enter_catch(judge(log.clone(), "outer"))
            .await
            .unwrap();
        assert_eq!(*lent, 1);
        stack
            .enter_catch(judge(log.clone(), "inner"))
            .await
            .unwrap();
    };
    assert_eq!(used(fill, Ok(1)), Ok(Some(1)));
    assert_eq!(log.line(), "inner sees Completed outer sees Completed");
    assert_eq!(used(fill, Err(Small)), Ok(None));
    assert_eq!(log.line(), "inner swallows outer sees Completed");
    assert_eq!(used(fill, Err(Big)), Err(Replaced(Box::new(Big))));
    assert_eq!(log.line(), "inner replaces outer returns");
}

#[test]
fn a_callback_of_a_catching_stack_decides_like_a_context() {
    let log = Log::new();
    let fill = async |stack: &AsyncExitStack<_, _>| {
        let outer = log.clone();
        stack.push_exit(async move |outcome| {
            outer.push(format_args!("{outcome:?}"));
            Ok(())
        });
        stack.push_exit(async |outcome| match outcome {
            Outcome::Failed(Small) => Ok(()),
            Outcome::Failed(error) => Err(Replaced(Box::new(error))),
            _ => Ok(()),
        });
    };
    assert_eq!(used(fill, Err(Small)), Ok(None));
    assert_eq!(log.line(), "Completed");
    assert_eq!(
        used(fill, Err(Big)),
        Ok(None),
        "the outer callback swallows every error"
    );
    assert_eq!(log.line(), "Failed(Replaced(Big))");
}

#[test]
fn the_entries_below_get_an_error_of_an_entry() {
    let swallowing = async |stack: &AsyncExitStack<_, _>| {
        stack
            .enter_catch(suppress(|error| *error == CleanUp))
            .await
            .unwrap();
        stack.defer(async || Err(CleanUp));
    };
    assert_eq!(used(swallowing, Ok(1)), Ok(Some(1)));
    // The error of the use is older, so the entry below gets that one.
    reports::collect();
    assert_eq!(used(swallowing, Err(Big)), Err(Big));
    assert_eq!(reports::take(), ["Failed(CleanUp)"]);
}

#[test]
fn an_error_besides_a_swallowed_one_is_reported() {
    reports::collect();
    let log = Log::new();
    let fill = async |stack: &AsyncExitStack<_, _>| {
        let below = log.clone();
        stack.push_exit(async move |outcome| {
            below.push(format_args!("{outcome:?}"));
            Ok(())
        });
        stack
            .enter_catch(suppress(|error| *error == Small))
            .await
            .unwrap();
        stack.defer(async || Err(CleanUp));
    };
    assert_eq!(used(fill, Err(Small)), Ok(None));
    assert_eq!(log.line(), "Completed");
    assert_eq!(reports::take(), ["Failed(CleanUp)"]);
}

#[test]
fn an_entry_cannot_swallow_a_panic_or_a_cancellation() {
    reports::collect();
    let log = Log::new();
    let add_entry = |stack: &AsyncExitStack<Failure, _>, name: &'static str| {
        let log = log.clone();
        stack.push_exit(async move |outcome: Outcome<Failure>| {
            log.push(format_args!("{name} sees {outcome:?}"));
            Ok(())
        });
    };
    let mut stack = AsyncExitStack::<Failure, _>::catching();
    add_entry(&stack, "2nd");
    stack.callback(|| std::panic::panic_any("ouch"));
    add_entry(&stack, "1st");
    let closing = AssertUnwindSafe(stack.close(Outcome::Cancelled)).catch_unwind();
    let panic = block_on(closing).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"ouch"));
    assert_eq!(log.line(), "1st sees Cancelled 2nd sees Cancelled");

    add_entry(&stack, "2nd");
    stack.defer(async || std::panic::panic_any("ouch"));
    let closing = AssertUnwindSafe(stack.close(Outcome::Failed(Big))).catch_unwind();
    assert!(block_on(closing).is_err());
    assert_eq!(log.line(), "2nd sees Panicked");
    assert_eq!(reports::take(), ["Failed(Big)"], "the error has no caller");
}

#[test]
fn an_error_that_an_entry_has_when_the_stack_is_dropped_is_reported() {
    reports::collect();
    let log = Log::new();
    let mut stack = AsyncExitStack::<Failure, _>::catching();
    let below = log.clone();
    stack.push_exit(async move |outcome| {
        below.push(format_args!("{outcome:?}"));
        Ok(())
    });
    stack.push_exit(async |outcome| {
        yield_once().await;
        match outcome {
            Outcome::Failed(error) => Err(error),
            _ => Ok(()),
        }
    });
    let mut closing = Box::pin(stack.close(Outcome::Failed(Big)));
    assert!(poll_once(closing.as_mut()).is_pending());
    drop(closing);
    drop(stack);
    assert_eq!(log.line(), "Cancelled");
    assert_eq!(reports::take(), ["Failed(Big)"]);
}

/// [`judge`] as a scoped context.
#[async_context(scoped, catch)]
async fn scoped_judge(log: &Log) -> Result<u32, Failure> {
    let mut lent = 1;
    let outcome = yield_resource!(lent);
    log.push(format_args!("{outcome:?}"));
    Ok(())
}

/// A scoped context that is told what goes on beside it has failed with.
#[async_context(scoped, catch)]
async fn scoped_lease(log: &Log) -> Result<u32, Failure> {
    let mut lent = 1;
    let outcome = yield_resource!(lent, async {
        yield_once().await;
        Err(Big)
    });
    log.push(format_args!("{outcome:?}"));
    Ok(())
}

/// Leaves a clean-up for which the use around waits.
fn leave_a_clean_up() {
    #[async_context]
    async fn slow() {
        yield_resource!();
        yield_once().await;
    }

    let mut using = Box::pin(slow().run(async |()| pending::<()>().await));
    assert!(poll_once(using.as_mut()).is_pending());
}

/// Runs what needs a runtime to be cleaned up.
fn with_runtime<T>(action: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.unwrap();
    let _entered = runtime.enter();
    let result = action();
    runtime.block_on(guard_core::drain());
    result
}

#[test]
fn the_error_of_a_scoped_context_that_is_dropped_before_it_was_told_is_reported() {
    reports::collect();
    let log = &Log::new();
    with_runtime(|| {
        let mut using = Box::pin(scoped_judge(log).catch(async |_| {
            leave_a_clean_up();
            Err::<(), _>(Big)
        }));
        assert!(poll_once(using.as_mut()).is_pending());
    });
    assert_eq!(log.line(), "");
    let untold = "Failed(an error of type `behavior::catch::Failure`)";
    assert_eq!(reports::take(), ["Abandoned", untold]);

    // Told, it decides.
    let mut entered = Box::pin(AsyncContext::<Failure>::enter(scoped_judge(log)));
    let guard = match poll_once(entered.as_mut()) {
        std::task::Poll::Ready(Ok(guard)) => guard,
        _ => panic!("it enters at once"),
    };
    block_on(guard.exit_with(Outcome::Failed(Big))).unwrap();
    assert_eq!(log.line(), "Failed(Big)");
    assert_eq!(reports::take(), [""; 0]);
}

#[test]
fn the_error_beside_a_scoped_context_that_is_dropped_before_it_was_told_is_reported() {
    reports::collect();
    let log = &Log::new();
    with_runtime(|| {
        let mut using = Box::pin(scoped_lease(log).catch(async |_| {
            let mut using = Box::pin(with_clean_up().run(async |()| pending::<()>().await));
            assert!(poll_once(using.as_mut()).is_pending());
            pending::<Result<(), Failure>>().await
        }));
        assert!(poll_once(using.as_mut()).is_pending());
        assert!(poll_once(using.as_mut()).is_pending());
    });
    assert_eq!(log.line(), "");
    assert_eq!(reports::take(), ["Abandoned", "Failed(Big)"]);
}

/// A context whose exit takes a while.
#[async_context]
async fn with_clean_up() {
    yield_resource!();
    yield_once().await;
}

#[test]
fn an_exit_with_an_error_that_is_dropped_unpolled_does_not_lose_the_error() {
    reports::collect();
    let log = Log::new();
    with_runtime(|| {
        let enter = |name| {
            let mut entering = Box::pin(judge(log.clone(), name).enter());
            match poll_once(entering.as_mut()) {
                std::task::Poll::Ready(Ok(guard)) => guard,
                _ => panic!("it enters at once"),
            }
        };
        drop(enter("small").exit_with(Outcome::Failed(Small)));
        drop(enter("big").exit_with(Outcome::Failed(CleanUp)));
        // An exit that nobody has awaited does not commit.
        drop(enter("completed").exit_with(Outcome::Completed));
    });
    assert_eq!(
        log.line(),
        "small swallows big returns completed sees Cancelled"
    );
    assert_eq!(reports::take(), ["Failed(CleanUp)"]);
}

#[test]
fn the_error_of_an_exit_that_its_context_does_not_take_is_reported() {
    reports::collect();
    with_runtime(|| {
        let mut entering = Box::pin(suppress(|_: &Failure| true).enter());
        let guard = match poll_once(entering.as_mut()) {
            std::task::Poll::Ready(Ok(guard)) => guard,
            _ => panic!("it enters at once"),
        };
        drop(guard.exit_with(Outcome::Failed(Big)));
    });
    let reports = reports::take();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("Failure"), "{reports:?}");
}
