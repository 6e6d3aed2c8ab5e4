//! Waiting for the nest of a use that runs in place.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::nest::Nest;
use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// Ready when the use may go on: before its exit, after it, or after its set-up failed.
#[inline]
pub(crate) fn poll_settle<C, X>(
    context: Pin<&mut C>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
) -> Poll<()>
where
    C: AsyncContext<X>,
{
    if nest.is_empty() {
        return Poll::Ready(());
    }
    poll_wait(context, nest, cx)
}

/// [`poll_settle`] before the exit: the context is told the outcome first, so that it goes on with that if it is
/// dropped while it waits.
#[inline]
pub(crate) fn poll_settle_before_exit<C, X>(
    mut context: Pin<&mut C>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
    outcome: &mut Option<Outcome<X>>,
) -> Poll<()>
where
    C: AsyncContext<X>,
{
    if nest.is_empty() {
        return Poll::Ready(());
    }
    if let Some(told) = outcome.take() {
        *outcome = context.as_mut().tell(told);
    }
    poll_wait(context, nest, cx)
}

#[cold]
fn poll_wait<C, X>(mut context: Pin<&mut C>, nest: &mut Nest, cx: &mut Context<'_>) -> Poll<()>
where
    C: AsyncContext<X>,
{
    let runtime = context.runtime();
    if nest.poll_ended(runtime, cx).is_ready() {
        return Poll::Ready(());
    }
    match context.as_mut().poll_wait_limit(cx) {
        Some(over) => ready!(over),
        None => ready!(nest.poll_wait_limit(cx)),
    }
    let overtaken = nest.overtake();
    if !overtaken.is_empty() {
        context.report(ReportKind::Overtook {
            overtaken: &overtaken,
        });
    }
    Poll::Ready(())
}
