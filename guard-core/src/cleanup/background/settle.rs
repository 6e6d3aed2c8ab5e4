//! Waiting for the nest of a use that runs in place.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::vec::Vec;

use super::nest::Nest;
use crate::cleanup::{Runtime, RuntimeId, WaitLimit};
use crate::report::{Identity, ReportKind, ReportSource};
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
    poll_nest_of(context, nest, cx)
}

/// [`poll_settle`] before the exit. The context is told the outcome first, so that its exit knows the outcome also if
/// the use is dropped while it waits.
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
    poll_nest_of(context, nest, cx)
}

#[cold]
fn poll_nest_of<C, X>(mut context: Pin<&mut C>, nest: &mut Nest, cx: &mut Context<'_>) -> Poll<()>
where
    C: AsyncContext<X>,
{
    let runtime = context.runtime();
    let limit = |cx: &mut Context<'_>| context.as_mut().poll_wait(cx);
    let overtaken = ready!(poll_nest(nest, runtime, cx, limit));
    if !overtaken.is_empty() {
        context.report(ReportKind::Overtook {
            overtaken: &overtaken,
        });
    }
    Poll::Ready(())
}

/// Waits for a nest, as long as `limit` allows. Ready with the names of the clean-ups that have not ended by then.
pub(super) fn poll_nest(
    nest: &mut Nest,
    runtime: RuntimeId,
    cx: &mut Context<'_>,
    mut limit: impl FnMut(&mut Context<'_>) -> WaitLimit,
) -> Poll<Vec<&'static str>> {
    if nest.is_empty() || nest.poll_ended(runtime, cx).is_ready() {
        return Poll::Ready(Vec::new());
    }
    match limit(cx) {
        WaitLimit::General => ready!(nest.poll_wait_limit(cx)),
        WaitLimit::Own(over) => {
            ready!(over);
            return Poll::Ready(nest.overtake(false));
        }
        WaitLimit::Longer(over) => {
            // Both have to be polled, so that both run from now on.
            let general = nest.poll_wait_limit(cx);
            ready!(over);
            ready!(general);
        }
        WaitLimit::GivenUp => return Poll::Ready(Vec::new()),
    }
    Poll::Ready(nest.overtake(true))
}

/// [`poll_settle`] for an entry of a stack, which is not a use but has a nest.
#[cold]
pub(crate) fn poll_settle_part(
    nest: &mut Nest,
    cx: &mut Context<'_>,
    identity: Identity,
    limit: impl FnMut(&mut Context<'_>) -> WaitLimit,
) -> Poll<()> {
    let runtime = Runtime::current().id_on_this_thread();
    let overtaken = ready!(poll_nest(nest, runtime, cx, limit));
    if !overtaken.is_empty() {
        ReportSource::<()>::of(identity).report(ReportKind::Overtook {
            overtaken: &overtaken,
        });
    }
    Poll::Ready(())
}
