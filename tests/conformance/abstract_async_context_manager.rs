//! `TestAbstractAsyncContextManager`: contexts that are written by hand.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures::{Stream, StreamExt};
use guard_core::{
    AsyncClose, AsyncContext, AsyncManager, BoxContext, Guard, Outcome, async_context, async_with,
    closing, manage, yield_resource,
};
use guard_tests::{Log, block_on, yield_once};

use crate::raised::raised;

/// A manager that lends itself, and does nothing else, like Python's abstract class.
struct Itself {
    entered_at: *const Itself,
}

// SAFETY: the address is compared, and never dereferenced.
unsafe impl Send for Itself {}

impl AsyncManager for Itself {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        self.entered_at = self;
        Ok(self)
    }

    async fn exit(&mut self, _: Outcome) -> Result<(), Infallible> {
        assert!(std::ptr::eq(self, self.entered_at));
        Ok(())
    }
}

fn itself() -> Itself {
    Itself {
        entered_at: std::ptr::null(),
    }
}

/// Row 1. A context can be its own resource, and an exit that does nothing suppresses nothing.
///
/// `enter` has no default implementation here, because each implementation names its resource.
#[test]
fn test_enter() {
    block_on(async {
        async_with!(it = manage(itself()), {
            assert!(std::ptr::eq(it, it.entered_at));
        });
        let guard = manage(itself()).enter().await.unwrap();
        assert!(std::ptr::eq(&*guard, guard.entered_at));
        guard.exit().await.unwrap();

        let failed = manage(itself())
            .with_error()
            .with(async |_| Err::<(), _>(raised("body")))
            .await;
        assert_eq!(failed, Err(raised("body")));
    });
}

#[async_context]
async fn logged(log: Log) -> Log {
    let mut lent = log.clone();
    log.push("enter");
    let outcome = yield_resource!(lent);
    yield_once().await;
    log.push(format_args!("exit({outcome:?})"));
}

/// Python's asynchronous generator that yields inside `async with`: a stream which holds an entered
/// context.
struct Numbers {
    context: Guard<BoxContext<'static, Log, Infallible>>,
}

impl Numbers {
    async fn new(log: Log) -> Self {
        let Ok(context) = logged(log).boxed().enter().await;
        Self { context }
    }
}

impl Stream for Numbers {
    type Item = u32;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
        self.context.push("next");
        Poll::Ready(Some(11))
    }
}

impl AsyncClose for Numbers {
    type Error = Infallible;

    async fn close(self) -> Result<(), Infallible> {
        self.context.exit_with(Outcome::Cancelled).await
    }
}

/// Row 3. A stream that holds a context and is closed early exits the context, without an error.
#[test]
fn test_async_gen_propagates_generator_exit() {
    let log = Log::new();
    block_on(async {
        async_with!(numbers = closing(Numbers::new(log.clone()).await), {
            while let Some(number) = numbers.next().await {
                if number == 11 {
                    break;
                }
            }
            log.push("left");
        });
        log.push("closed");
    });
    assert_eq!(log.line(), "enter next left exit(Cancelled) closed");
}

/// Row 3. A stream that holds a context and is dropped early hands the exit off. In Python the event loop's
/// hook for abandoned generators runs it.
#[test]
fn test_async_gen_propagates_generator_exit_when_dropped() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let log = Log::new();
    runtime.block_on(async {
        let numbers = Numbers::new(log.clone()).await;
        assert_eq!(pin!(numbers).next().await, Some(11));
        log.push("dropped");
        guard_core::drain().await;
    });
    assert_eq!(log.line(), "enter next dropped exit(Cancelled)");
}
