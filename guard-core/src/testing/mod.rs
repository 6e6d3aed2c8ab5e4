//! Tests of one's own clean-up (feature `testing`).
//!
//! | function | proves |
//! |---|---|
//! | [`cancel_at_every_poll`] | a future leaves nothing behind, wherever it is cancelled |
//! | [`check_context`], [`check_catching`] | a hand-written context keeps the [laws](check_context#laws) of the protocol |
//! | [`reports`] | what is reported, and that nothing is, beside other tests in the same process |
//!
//! They work in every executor. Under tokio they concern the runtime of the test, so that tests run beside each other,
//! with a current-thread or a multi-thread runtime, also with a paused clock.
//!
//! ```toml
//! [dev-dependencies]
//! guard-core = { path = "../guard/guard-core", features = ["testing"] }
//! ```

mod cancel;
mod check;
mod reports;
mod watch;

use core::any::Any;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::boxed::Box;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};

pub use cancel::{CancelAtEveryPoll, Cut, cancel_at_every_poll};
pub use check::{CheckContext, check_catching, check_context};
pub(crate) use reports::collect;
pub use reports::{Reports, reports};

/// What a check returns: nothing, or a `Result` whose error fails the test.
pub trait Verdict: sealed::Sealed {
    /// Why it failed.
    #[doc(hidden)]
    fn failure(self) -> Option<String>;
}

impl Verdict for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Debug> Verdict for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:?}"))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
}

/// An async closure of the user's that looks at what is left, its type hidden.
trait Check<A> {
    /// The text of what it fails or panics with.
    fn check<'s>(&'s mut self, about: A) -> Pin<Box<dyn Future<Output = Option<String>> + 's>>
    where
        A: 's;
}

struct Checks<F, R> {
    check: F,
    _verdict: core::marker::PhantomData<fn() -> R>,
}

impl<F, R> Checks<F, R> {
    fn new(check: F) -> Self {
        Self {
            check,
            _verdict: core::marker::PhantomData,
        }
    }
}

impl<A, R, F> Check<A> for Checks<F, R>
where
    F: AsyncFnMut(A) -> R,
    R: Verdict,
{
    fn check<'s>(&'s mut self, about: A) -> Pin<Box<dyn Future<Output = Option<String>> + 's>>
    where
        A: 's,
    {
        Box::pin(async move {
            let mut checking = match caught(|| Box::pin((self.check)(about))) {
                Ok(checking) => checking,
                Err(panic) => return Some(panic),
            };
            poll_fn(|cx| match caught(|| checking.as_mut().poll(cx)) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(verdict)) => Poll::Ready(verdict.failure()),
                Err(panic) => Poll::Ready(Some(panic)),
            })
            .await
        })
    }
}

/// Calls `action`. The error is the message of its panic.
fn caught<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        (*message).to_string()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic whose payload is not a string".to_string()
    }
}

/// Lets the executor run what is ready, such as tasks that were aborted and are still to be dropped.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx: &mut Context<'_>| {
        if core::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
