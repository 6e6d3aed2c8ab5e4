//! A context of two functions.

use core::fmt;
use core::future::Future;

use crate::coroutine::guaranteed::guaranteed;
use crate::raw::Yielder;
use crate::report::{Origin, PrintDebug};
use crate::{AsyncContext, Outcome};

/// Makes a context of an asynchronous `acquire` and an asynchronous `release`.
///
/// For a context that is wanted in one place only; else a function with
/// [`#[async_context]`](crate::async_context) reads better. The release is told how the use ended. A
/// guaranteed context: it is released also when its user is cancelled.
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
#[track_caller]
pub fn from_fns<R, E, A, L, Acquiring, Releasing>(
    acquire: A,
    release: L,
) -> impl AsyncContext<Resource = R, Error = E> + Send + 'static
where
    R: Send + 'static,
    E: fmt::Debug + 'static,
    A: FnOnce() -> Acquiring + Send + 'static,
    Acquiring: Future<Output = Result<R, E>> + Send + 'static,
    L: FnOnce(R, Outcome) -> Releasing + Send + 'static,
    Releasing: Future<Output = Result<(), E>> + Send + 'static,
{
    guaranteed(
        move |yielder: Yielder<R, (), E>| async move {
            let mut resource = acquire().await?;
            let outcome = yielder.token().lend(&yielder, &mut resource).await;
            release(resource, outcome).await
        },
        Origin::<A, _>::here(PrintDebug),
    )
}
