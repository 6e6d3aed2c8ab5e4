//! The exit of a use that was dropped, as an object.

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::platform::panics::Panic;

/// A context whose use was dropped half-way, and which can be finished without it. If it is dropped before it is
/// finished, it reports that it was abandoned.
///
/// The implementation reports errors. The caller catches panics, hands them to `panicked`, and drops the rest.
pub(crate) trait Unfinished {
    /// Whether its set-up is still going on.
    fn is_in_set_up(&self) -> bool {
        false
    }

    /// Whether the code of the exit has begun. Code that has begun is polled at once. What it has dropped is waited for when
    /// it has ended.
    fn has_begun(self: Pin<&mut Self>) -> bool {
        false
    }

    /// Goes on with the code that has begun. Ready when that has ended, with whether there is more to exit. The rest waits for
    /// the nest first.
    fn poll_begun(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_exit(cx).map(|()| false)
    }

    /// Goes on with the set-up. Ready with whether there is something to exit.
    fn poll_set_up(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(true)
    }

    /// Goes on with the exit.
    fn poll_exit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// [`poll_exit`](Self::poll_exit) for the last time. One that consists of several exits polls each of them.
    fn poll_last(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_exit(cx)
    }

    /// The subscriber that was set where its context was entered. It receives the reports.
    #[cfg(feature = "tracing")]
    fn dispatch(&self) -> Option<tracing::Dispatch> {
        None
    }

    /// Reports a panic under the name of its context.
    fn panicked(&self, panic: Panic);
}
