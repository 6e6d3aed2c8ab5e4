//! Swallowing chosen errors.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::call_order::Order;
use crate::{AsyncContext, Outcome};

/// Swallows the errors of the block for which `predicate` is true; all others are raised.
///
/// To be used with [`catch`](AsyncContext::catch), or on an exit stack that catches. It can be copied when
/// the predicate can, so one may be used many times, also inside itself. Python: `suppress`.
///
/// The type of the error is written in the closure, `|error: &io::Error| …`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{AsyncContext, suppress};
/// use std::io;
///
/// let missing = suppress(|error: &io::Error| error.kind() == io::ErrorKind::NotFound);
/// let text = missing
///     .catch(async |()| std::fs::read_to_string("/no/such/file"))
///     .await?;
/// assert_eq!(text, None);
/// # Ok(()) }
/// ```
pub fn suppress<E, P>(predicate: P) -> Suppress<E, P>
where
    P: Fn(&E) -> bool, // a closure that asks an error: `|error: &Error| error.kind() == …`
{
    Suppress {
        predicate,
        is_suppressed: |predicate, error| predicate(error),
        nothing: (),
        order: Order::Start,
    }
}

/// The context of [`suppress`].
#[must_use = "a context does nothing until it is used: `suppress(…).catch(…)`"]
pub struct Suppress<E, P> {
    predicate: P,
    /// Calls the predicate. So only `suppress` has the bound: rustc would report a bound of the context a second time.
    is_suppressed: fn(&P, &E) -> bool,
    /// The resource.
    nothing: (),
    order: Order,
}

impl<E, P: Clone> Clone for Suppress<E, P> {
    fn clone(&self) -> Self {
        Self {
            predicate: self.predicate.clone(),
            is_suppressed: self.is_suppressed,
            nothing: (),
            order: self.order,
        }
    }
}

impl<E, P: Copy> Copy for Suppress<E, P> {}

impl<E, P> fmt::Debug for Suppress<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suppress")
    }
}

// The predicate is called, never pinned.
impl<E, P> Unpin for Suppress<E, P> {}

#[diagnostic::do_not_recommend]
impl<E, P> AsyncContext<E> for Suppress<E, P> {
    type Resource = ();
    type Error = E;

    fn poll_enter(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.order.enter();
        self.order.entered();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut () {
        self.order.lend();
        &mut self.get_mut().nothing
    }

    fn poll_exit(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        outcome: Outcome<E>,
    ) -> Poll<Result<(), E>> {
        self.order.exit();
        self.order.end();
        Poll::Ready(match outcome {
            Outcome::Failed(error) if !(self.is_suppressed)(&self.predicate, &error) => Err(error),
            _ => Ok(()),
        })
    }
}
