//! Bugs that reviews found.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::pending;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, drain, exit_stack,
    nullcontext, optional, swap, yield_resource,
};
use guard_tests::{Log, block_on, poll_times, yield_once};
use tokio::sync::Notify;

use crate::reports;

#[async_context]
async fn logs_outcome(log: Log, name: &'static str) -> Result<(), String> {
    let outcome = yield_resource!();
    log.push(format_args!("{name}:{outcome:?}"));
    Ok(())
}

/// Two contexts beside each other in one body: the clean-up of one may wait for that of the other.
#[tokio::test]
async fn joined_futures_that_are_cancelled_together_are_cleaned_up_concurrently() {
    #[async_context]
    async fn waits(for_it: Arc<Notify>, log: Log) {
        yield_resource!();
        for_it.notified().await;
        log.push("waited");
    }
    #[async_context]
    async fn notifies(it: Arc<Notify>, log: Log) {
        yield_resource!();
        yield_once().await;
        it.notify_one();
        log.push("notified");
    }
    let (log, notify) = (Log::new(), Arc::new(Notify::new()));
    {
        let mut using = pin!(async {
            async_with!(_outer = logs_outcome(log.clone(), "outer")?, {
                let first =
                    waits(notify.clone(), log.clone()).run(async |()| std::future::pending().await);
                let second = notifies(notify.clone(), log.clone())
                    .run(async |()| std::future::pending().await);
                let ((), ()) = tokio::join!(first, second);
            });
            Ok::<_, String>(())
        });
        assert!(poll_times(using.as_mut(), 2).is_pending());
    }
    tokio::time::timeout(Duration::from_secs(10), drain())
        .await
        .expect("the clean-ups should end");
    assert_eq!(log.line(), "notified waited outer:Cancelled");
}

#[tokio::test]
async fn a_catching_stack_whose_close_was_dropped_still_gets_the_error() {
    let used = exit_stack::<String>()
        .catching()
        .catch(async |stack| {
            stack.defer(async || {
                yield_once().await;
                Ok(())
            });
            // The close is dropped after one poll.
            assert!(poll_times(pin!(stack.close(Outcome::Completed)), 1).is_pending());
            Err::<(), _>("body".to_string())
        })
        .await;
    assert_eq!(used, Err("body".to_string()));
}

#[tokio::test]
async fn a_stack_whose_close_was_dropped_gives_the_outcome_to_the_rest() {
    let log = Log::new();
    let used: Result<(), String> = exit_stack::<String>()
        .with(async |stack| {
            stack.enter(logs_outcome(log.clone(), "below")).await?;
            stack.defer(async || {
                yield_once().await;
                Ok(())
            });
            assert!(poll_times(pin!(stack.close(Outcome::Completed)), 1).is_pending());
            Err("body".to_string())
        })
        .await;
    assert_eq!(used, Err("body".to_string()));
    assert_eq!(log.line(), "below:Failed(())");
}

/// Panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[test]
fn a_loss_is_reported_and_so_is_the_panic_of_a_destructor() {
    #[async_context]
    async fn never_done() {
        let _panics = Panics;
        yield_resource!();
        std::future::pending().await
    }
    reports::collect();
    {
        let mut using = pin!(never_done().run(async |()| yield_once().await));
        assert!(poll_times(using.as_mut(), 1).is_pending());
    }
    assert_eq!(reports::take(), ["Abandoned", "Panicked"]);
}

/// The use unwinds with the panic of its body, so the panic of the destructor has no caller.
#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_after_an_exit_timeout_is_reported() {
    #[async_context]
    async fn hangs() {
        yield_resource!();
        let _panics = Panics;
        std::future::pending().await
    }
    #[async_context(scoped)]
    async fn hangs_here() {
        yield_resource!();
        let _panics = Panics;
        std::future::pending().await
    }
    async fn panics_in_the_use(context: impl AsyncContext<Resource = (), Error = Infallible>) {
        let used = context
            .exit_timeout(Duration::from_secs(1))
            .try_with(async |()| -> Result<(), ()> { panic!("in the use") });
        let payload = AssertUnwindSafe(used).catch_unwind().await.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"in the use"));
        assert_eq!(reports::take(), ["TimedOut", "Panicked"]);
    }
    reports::collect();
    panics_in_the_use(hangs()).await;
    panics_in_the_use(hangs_here()).await;
    for name in reports::take_names() {
        assert!(name.contains("::hangs"), "{name}");
    }
}

#[test]
fn the_error_of_an_entry_is_reported_with_the_name_of_that_entry() {
    #[async_context]
    async fn fails() -> Result<(), String> {
        yield_resource!();
        Err("in an inner stack".to_string())
    }
    #[async_context]
    async fn panics() -> Result<(), String> {
        yield_resource!();
        panic!("in an inner stack")
    }
    async fn in_an_inner_stack(
        entry: impl AsyncContext<Resource = (), Error = String> + Send + 'static,
    ) -> Result<(), String> {
        let outer = exit_stack::<String>().with(async |outer| {
            let inner = outer.enter(exit_stack::<String>()).await?;
            inner.enter(entry).await?;
            outer.callback(|| panic!("in the outer stack"));
            Ok(())
        });
        outer.await
    }
    reports::collect();
    let used = AssertUnwindSafe(in_an_inner_stack(fails())).catch_unwind();
    assert!(block_on(used).is_err());
    assert_eq!(reports::take(), ["Failed(\"in an inner stack\")"]);
    let used = AssertUnwindSafe(in_an_inner_stack(panics())).catch_unwind();
    assert!(block_on(used).is_err());
    assert_eq!(reports::take(), ["Panicked"]);
    let names = reports::take_names();
    let [failed, panicked] = names.as_slice() else {
        panic!("{names:?}");
    };
    assert!(failed.ends_with("::fails"), "{failed}");
    assert!(panicked.ends_with("::panics"), "{panicked}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_on_a_stack_is_reported_once() {
    #[async_context]
    async fn stubborn() -> Result<(), String> {
        yield_resource!();
        std::future::pending().await
    }
    reports::collect();
    async_with!(stack = exit_stack::<String>(), {
        let stubborn = stubborn().exit_timeout(Duration::from_millis(10));
        let entered = stack
            .enter(stubborn.map_err(|error| error.to_string()))
            .await;
        assert!(entered.is_ok());
    });
    assert_eq!(reports::take(), ["TimedOut"]);
}

#[test]
fn a_stack_that_was_made_outside_a_runtime_runs_in_the_one_where_it_is_dropped() {
    let stack = AsyncExitStack::<String>::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let log = Log::new();
    runtime.block_on(async {
        let done = log.clone();
        stack.defer(async move || {
            yield_once().await;
            done.push("done");
            Ok(())
        });
        drop(stack);
        drain().await;
    });
    assert_eq!(log.line(), "done");
}

#[tokio::test]
#[allow(clippy::needless_return, reason = "the test is about it")]
async fn a_return_in_a_closure_in_a_macro_leaves_only_the_closure() -> Result<(), String> {
    use futures::FutureExt;
    let log = Log::new();
    let seen = Cell::new(0);
    async_with!(_told = logs_outcome(log.clone(), "context")?, {
        tokio::select! {
            value = std::future::ready(1).map(|n: u32| { return n + 1; }) => seen.set(value),
        }
    });
    assert_eq!(
        (seen.get(), log.line()),
        (2, "context:Completed".to_string())
    );
    Ok(())
}

#[tokio::test]
#[allow(clippy::never_loop, reason = "the test is about it")]
async fn a_yield_in_a_handler_of_select_belongs_to_the_context() {
    #[async_context]
    async fn selecting() -> Result<u32, String> {
        let mut n = 1;
        tokio::select! {
            () = std::future::ready(()) => {
                yield_resource!(n).is_completed().then_some(()).unwrap();
            }
        }
        Ok(())
    }
    #[async_context]
    async fn in_a_loop_in_a_use() -> Result<u32, String> {
        async_with!(n = selecting()?, {
            loop {
                tokio::select! {
                    () = std::future::ready(()) => {
                        let _ = yield_resource!(*n);
                        break;
                    }
                }
            }
        });
        Ok(())
    }
    #[async_context]
    async fn in_a_use_in_a_handler() -> Result<u32, String> {
        tokio::select! {
            () = std::future::ready(()) => {
                async_with!(n = in_a_loop_in_a_use()?, {
                    assert!(matches!(yield_resource!(*n), Outcome::Completed));
                });
            }
        }
        Ok(())
    }
    let used: Result<u32, String> = in_a_use_in_a_handler().with(async |n| Ok(*n)).await;
    assert_eq!(used, Ok(1));
}

/// It exits with this, and then its destructor panics.
struct PanicsAtItsEnd(Result<(), &'static str>);

impl AsyncContext for PanicsAtItsEnd {
    type Resource = Self;
    type Error = &'static str;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut Self {
        self.get_mut()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), &'static str>> {
        Poll::Ready(self.0)
    }
}

impl Drop for PanicsAtItsEnd {
    fn drop(&mut self) {
        resume_unwind(Box::new("in a destructor"));
    }
}

/// Runs a use whose context panics in its destructor. Returns the reports.
fn reported(used: impl Future) -> Vec<String> {
    reports::collect();
    let used = async { drop(used.await) };
    let payload =
        block_on(AssertUnwindSafe(used).catch_unwind()).expect_err("the destructor panics");
    assert_eq!(payload.downcast_ref(), Some(&"in a destructor"));
    reports::take()
}

#[test]
fn the_error_of_a_body_is_reported_if_the_destructor_of_its_context_panics() {
    async fn fails<T>() -> Result<T, &'static str> {
        Err("body")
    }
    async fn with_a_block() -> Result<(), &'static str> {
        async_with!(_panics = PanicsAtItsEnd(Ok(()))?, { fails().await? });
        Ok(())
    }
    async fn with_a_value() -> Result<(), &'static str> {
        async_with!(_panics = PanicsAtItsEnd(Ok(()))?, { fails().await })
    }
    async fn with_an_attempt() {
        let attempt: Result<(), &'static str> =
            async_with!(attempt(_panics = PanicsAtItsEnd(Ok(()))?), {
                fails().await?
            });
        let _ = attempt;
    }
    const ERROR: &str = "Failed(an error of type `&str`)";
    const RESULT: &str = "Failed(an error of type `core::result::Result<(), &str>`)";
    const VALUE: &str = "Failed(with an `Err` as its value)";
    const EXIT: &str = ERROR;

    let context = || PanicsAtItsEnd(Ok(()));
    let cannot_fail = || context().map_err(|error| -> Infallible { unreachable!("{error}") });
    let fails_to_exit = || PanicsAtItsEnd(Err("exit"));
    let body = async |_: &mut PanicsAtItsEnd| fails::<()>().await;
    assert_eq!(reported(context().with(body)), [ERROR]);
    assert_eq!(reported(context().try_with(body)), [ERROR]);
    assert_eq!(reported(cannot_fail().run(body)), [RESULT]);
    assert_eq!(reported(with_a_block()), [RESULT]);
    assert_eq!(reported(with_a_value()), [VALUE]);
    assert_eq!(reported(with_an_attempt()), [ERROR]);
    assert_eq!(reported(fails_to_exit().with(body)), [EXIT, ERROR]);
    assert_eq!(reported(fails_to_exit().try_with(body)), [EXIT, ERROR]);
}

#[test]
fn nothing_is_reported_of_a_body_that_did_not_fail_if_the_destructor_of_its_context_panics() {
    let context = || PanicsAtItsEnd(Ok(()));
    let body = async |_: &mut PanicsAtItsEnd| Ok::<_, &str>(());
    assert!(reported(context().with(body)).is_empty());
    assert!(reported(context().try_with(body)).is_empty());
}

/// Panics in its destructor.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("in a destructor"));
    }
}

/// It is dropped by the library, which has looked at the value before.
#[test]
fn the_value_of_a_block_is_reported_if_it_is_an_error_and_a_destructor_in_the_block_panics() {
    async fn with_a_value() -> Result<(), &'static str> {
        let bomb = Bomb;
        async_with!(_context = nullcontext(1), {
            let _bomb = &bomb;
            if false {
                drop(bomb);
            }
            Err("body")
        })
    }
    async fn with_two_contexts() -> Result<(), &'static str> {
        let bomb = Bomb;
        async_with!(_outer = nullcontext(1), _inner = nullcontext(1), {
            if false {
                drop(bomb);
            }
            Err("body")
        })
    }
    async fn with_a_break() -> Result<(), &'static str> {
        let result: Result<(), &'static str> = 'block: {
            async_with!(_context = nullcontext(1), {
                let _bomb = Bomb;
                break 'block Err("body");
            })
        };
        result
    }
    async fn with_a_success() -> Result<(), &'static str> {
        let bomb = Bomb;
        async_with!(_context = nullcontext(1), {
            if false {
                drop(bomb);
            }
            Ok(())
        })
    }
    const VALUE: &str = "Failed(with an `Err` as its value)";
    assert_eq!(reported(with_a_value()), [VALUE]);
    assert_eq!(reported(with_two_contexts()), [VALUE]);
    assert_eq!(reported(with_a_break()), [VALUE]);
    assert!(reported(with_a_success()).is_empty());
}

/// It is dropped where it stands, and then a destructor in it panics.
#[async_context(scoped)]
async fn hangs_at_its_end() -> Result<(), &'static str> {
    let _bomb = Bomb;
    yield_resource!();
    pending().await
}

/// Polls a use some times, and drops it. Its context panics in its destructor. Returns the reports.
fn reported_when_dropped(used: impl Future<Output: Debug>, polls: usize) -> Vec<String> {
    reported(async move {
        let mut used = Box::pin(used);
        assert!(poll_times(used.as_mut(), polls).is_pending());
    })
}

#[test]
fn how_a_body_ended_is_reported_if_its_use_is_dropped_and_the_destructor_of_its_context_panics() {
    let panics = async |_: &mut ()| -> Result<(), &'static str> { resume_unwind(Box::new("body")) };
    let fails = async |_: &mut ()| Err::<(), _>("body");
    const ERROR: &str = "Failed(an error of type `&str`)";
    let used = || hangs_at_its_end();
    assert_eq!(
        reported_when_dropped(used().with(fails), 1),
        ["Abandoned", ERROR]
    );
    assert_eq!(
        reported_when_dropped(used().try_with(fails), 1),
        ["Abandoned", ERROR]
    );
    assert_eq!(
        reported_when_dropped(used().with(panics), 1),
        ["Abandoned", "Panicked"]
    );
}

/// Otherwise the second one would end the process.
#[test]
fn the_first_panic_goes_on_if_the_destructors_of_a_body_and_of_its_context_panic() {
    let context = || PanicsAtItsEnd(Ok(()));
    let panics = async |_: &mut PanicsAtItsEnd| -> Result<(), &'static str> {
        resume_unwind(Box::new("in a destructor"))
    };
    let waits = async |_: &mut ()| {
        let _bomb = Bomb;
        pending::<Result<(), &'static str>>().await
    };
    async fn two_contexts() -> Result<(), &'static str> {
        async_with!(
            _outer = PanicsAtItsEnd(Ok(()))?,
            _inner = PanicsAtItsEnd(Ok(()))?,
            {}
        );
        Ok(())
    }
    assert_eq!(reported(context().with(panics)), ["Panicked"]);
    assert_eq!(reported(two_contexts()), ["Panicked"]);
    let reported = reported_when_dropped(hangs_at_its_end().with(waits), 1);
    assert_eq!(reported, ["Abandoned", "Panicked"]);
}

#[test]
fn the_error_of_a_replaced_context_is_reported_if_its_destructor_panics() {
    async fn replaces() -> Result<(), &'static str> {
        async_with!(
            handle = swap(optional(Some(PanicsAtItsEnd(Err("exit")))))?,
            {
                handle.replace(optional(None)).await?;
            }
        );
        Ok(())
    }
    assert_eq!(reported(replaces()), ["Failed(an error of type `&str`)"]);
}
