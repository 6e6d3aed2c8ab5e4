//! A context that does nothing.

use core::convert::Infallible;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::call_order::Order;
use crate::{AsyncContext, Outcome};

/// Lends a value; entering and exiting do nothing.
///
/// For where a context is wanted and a value is at hand. Python: `nullcontext`.
///
/// # Examples
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
    NullContext {
        value,
        order: Order::Start,
    }
}

/// The context of [`nullcontext`].
#[derive(Clone, Copy, Default)]
#[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
pub struct NullContext<T> {
    value: T,
    order: Order,
}

impl<T> NullContext<T> {
    /// A context that is entered as it is made: for a value that an exit stack keeps.
    pub(crate) fn entered(value: T) -> Self {
        Self {
            value,
            order: Order::Entered,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for NullContext<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NullContext").field(&self.value).finish()
    }
}

// The value is lent, never pinned.
impl<T> Unpin for NullContext<T> {}

#[diagnostic::do_not_recommend]
impl<T> AsyncContext for NullContext<T> {
    type Resource = T;
    type Error = Infallible;

    #[inline]
    fn poll_enter(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.order.enter();
        self.order.entered();
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut T {
        self.order.lend();
        &mut self.get_mut().value
    }

    #[inline]
    fn poll_exit(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        self.order.exit();
        self.order.end();
        Poll::Ready(Ok(()))
    }
}
