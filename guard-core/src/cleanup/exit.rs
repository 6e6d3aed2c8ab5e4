//! What goes on after its use was dropped.

use core::pin::Pin;
use core::task::{Context, Poll};

#[cfg(feature = "std")]
use crate::platform::panics::Panic;

/// A half-run context that can be finished by itself. Dropping one that is not finished reports it as abandoned.
///
/// Errors are reported by the implementation. Panics are caught by the caller, who hands them to `panicked` and
/// drops the rest.
pub(crate) trait Exit {
    /// Whether its set-up is still going on.
    fn is_in_set_up(&self) -> bool {
        false
    }

    /// Goes on with the set-up. Ready with whether there is something to exit.
    fn poll_set_up(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }

    /// Goes on with the exit.
    fn poll_exit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// [`poll_exit`](Self::poll_exit) for the last time. What is made of several exits gives each its poll.
    #[cfg(feature = "std")]
    fn poll_last(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_exit(cx)
    }

    /// The subscriber where its context was entered, which receives what it reports.
    #[cfg(feature = "tracing")]
    fn dispatch(&self) -> Option<tracing::Dispatch> {
        None
    }

    /// Reports a panic in its name.
    #[cfg(feature = "std")]
    fn panicked(&self, panic: Panic);
}
