//! Errors of contexts that no caller receives: they are reported, and dropped.

use super::AsyncContext;
use crate::report::ReportKind;

/// Reports an error of `context`, and drops it.
#[cold]
pub(crate) fn lose_error<C, X>(context: &C, error: C::Error)
where
    C: AsyncContext<X>,
{
    context.report(ReportKind::Failed(&error));
    context.report_source().discard(error);
}

/// Reports an error of the set-up of `context`, and drops it.
#[cold]
pub(crate) fn lose_set_up_error<C, X>(context: &C, error: C::Error)
where
    C: AsyncContext<X>,
{
    context.report(ReportKind::SetUpFailed(&error));
    context.report_source().discard(error);
}
