//! A context of two functions.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;

use crate::context::Checked;
use crate::coroutine::guaranteed::guaranteed;
use crate::coroutine::started_on_enter::{Start, StartedOnEnter, started_on_enter};
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug};
use crate::{BoxContext, Outcome};

/// Makes a context of an asynchronous `acquire` and an asynchronous `release`.
///
/// For a context that is wanted in one place only; else a function with
/// [`#[async_context]`](crate::async_context) reads better. The release is told how the use ended. A
/// guaranteed context: it is released also when its user is cancelled.
///
/// Python: `@asynccontextmanager` on a function that awaits one call, yields its value, and awaits another in a `finally`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{Outcome, async_with, from_fns};
///
/// let lines = from_fns(
///     async || Ok::<_, std::io::Error>(Vec::new()),
///     async |lines: Vec<&str>, outcome: Outcome| {
///         assert_eq!((lines.len(), outcome), (1, Outcome::Completed));
///         Ok(())
///     },
/// );
/// async_with!(lines = lines?, {
///     lines.push("hello");
/// });
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The error with which `acquire` or `release` fails. If `acquire` fails, `release` is not called.
///
/// # Panics
///
/// A panic of either goes on in whoever polls.
///
/// # Cancellation
///
/// As for a context that a function with [`#[async_context]`](crate::async_context) returns.
#[track_caller]
pub fn from_fns<R, E, A, L, Acquiring, Releasing>(
    acquire: A,
    release: L,
) -> Checked<FromFns<A, L>, R>
where
    R: Send + 'static,
    E: fmt::Debug + 'static,
    A: FnOnce() -> Acquiring + Send + 'static,
    Acquiring: Future<Output = Result<R, E>> + Send + 'static, // an async function; `blocking` takes others
    L: FnOnce(R, Outcome) -> Releasing + Send + 'static,
    Releasing: Future<Output = Result<(), E>> + Send + 'static, // an async function; `blocking` takes others
{
    FromFns(StartedOnEnter::new(Fns { acquire, release }))
}

/// The context of [`from_fns`].
#[must_use = "a context does nothing until it is used: `async_with!(resource = context?, { … })`"]
pub struct FromFns<A, L>(StartedOnEnter<Fns<A, L>, A>);

started_on_enter! {
    impl<A, L, R, E, Acquiring, Releasing> AsyncContext<()> for FromFns<A, L>
    where {
        R: Send + 'static,
        E: fmt::Debug + 'static,
        A: FnOnce() -> Acquiring + Send + 'static,
        Acquiring: Future<Output = Result<R, E>> + Send + 'static,
        L: FnOnce(R, Outcome) -> Releasing + Send + 'static,
        Releasing: Future<Output = Result<(), E>> + Send + 'static
    }
    R, E
}

struct Fns<A, L> {
    acquire: A,
    release: L,
}

impl<A, L, R, E, Acquiring, Releasing> Start<(), A> for Fns<A, L>
where
    R: Send + 'static,
    E: fmt::Debug + 'static,
    A: FnOnce() -> Acquiring + Send + 'static,
    Acquiring: Future<Output = Result<R, E>> + Send + 'static,
    L: FnOnce(R, Outcome) -> Releasing + Send + 'static,
    Releasing: Future<Output = Result<(), E>> + Send + 'static,
{
    type Resource = R;
    type Error = E;

    fn start(self, origin: Origin<A, PrintDebug>) -> BoxContext<'static, R, E> {
        let Self { acquire, release } = self;
        Box::pin(guaranteed(
            move |yielder: Yielder<R, (), E>| async move {
                let mut resource = acquire().await?;
                let outcome = yielder.token().lend(&yielder, &mut resource).await;
                release(resource, outcome).await
            },
            origin,
        ))
    }
}
