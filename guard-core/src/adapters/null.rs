//! A context that does nothing.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::{AsyncContext, Outcome};

/// Lends a value; entering and exiting do nothing.
///
/// For where a context is wanted and a value is at hand. Python: `nullcontext`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use guard_core::{AsyncContext, nullcontext};
///
/// let doubled = nullcontext(21).run(async |n| *n * 2).await;
/// assert_eq!(doubled, 42);
/// # }
/// ```
pub fn nullcontext<T>(value: T) -> NullContext<T> {
    NullContext(value)
}

/// The context of [`nullcontext`].
#[derive(Clone, Copy, Debug, Default)]
pub struct NullContext<T>(T);

// The value is lent, never pinned.
impl<T> Unpin for NullContext<T> {}

#[diagnostic::do_not_recommend]
impl<T> AsyncContext for NullContext<T> {
    type Resource = T;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut T {
        &mut self.get_mut().0
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}
