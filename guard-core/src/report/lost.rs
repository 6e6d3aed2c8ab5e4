//! Errors that no caller receives: they are reported, and dropped. A panic of their destructors is reported too, because
//! only the library owns them by then, and what goes on is not to be lost by it.

use super::{ReportKind, ReportSource};
use crate::AsyncContext;
use crate::platform::panics::catch_panic_rarely;

/// Reports an error of `context`, and drops it.
#[cold]
pub(crate) fn lose_error<C, X>(context: &C, error: C::Error)
where
    C: AsyncContext<X>,
{
    context.report(ReportKind::Failed(&error));
    context.report_source().discard(error);
}

/// Drops a context before its caller is told its error. If that panics, the caller is told the panic, and nobody would hear
/// of the error: so `lose` reports it.
#[cold]
pub(crate) fn drop_before<E>(
    error: E,
    source: ReportSource<E>,
    lose: fn(ReportSource<E>, E),
    drop_it: &mut dyn FnMut(),
) -> E {
    if let Err(panic) = catch_panic_rarely(drop_it) {
        lose(source, error);
        panic.resume();
    }
    error
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
