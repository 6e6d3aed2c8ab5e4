//! The exit after a panic of the block.

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::platform::panics::catch;
use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// Polls the exit of a context whose block panicked. That panic goes on afterwards, so an error or a panic of the
/// exit is reported.
pub(super) fn poll_exit_after_panic<C, X>(
    mut context: Pin<&mut C>,
    cx: &mut Context<'_>,
    outcome: Outcome<X>,
) -> Poll<()>
where
    C: AsyncContext<X>,
{
    match catch(|| context.as_mut().poll_exit(cx, outcome)) {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(Ok(()))) => {}
        Ok(Poll::Ready(Err(error))) => context.report(ReportKind::Failed(&error)),
        Err(panic) => panic.report_to(context.identity()),
    }
    Poll::Ready(())
}
