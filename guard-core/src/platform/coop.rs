//! Polling without the budget of the current task.

use core::task::{Context, Poll};

/// Calls `poll` so that tokio's cooperative budget does not count: what is polled beside something else must go on also
/// when that has used up the budget.
#[cfg(feature = "tokio")]
pub(crate) fn unconstrained<T>(
    cx: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    use core::future::{Future, poll_fn};
    use core::pin::pin;

    pin!(tokio::task::unconstrained(poll_fn(|cx| poll(cx)))).poll(cx)
}

/// There is no budget.
#[cfg(not(feature = "tokio"))]
pub(crate) fn unconstrained<T>(
    cx: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    poll(cx)
}
