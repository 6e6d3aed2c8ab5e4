//! Reports of how a body ended, where no caller receives that.

use super::BodyEnd;
use crate::AsyncContext;
use crate::context::lose_error;
use crate::report::{ReportKind, ReportSource};
use crate::using::form::Kept;

/// Reports what a body ended with, whose caller is gone. [`report_beside`] has reported the error of what is beside it.
pub(super) fn report_ended<X, K, E>(
    source: ReportSource<E>,
    ended: BodyEnd<K, E>,
    untold: Option<X>,
) where
    K: Kept,
{
    match ended {
        BodyEnd::Kept(kept) => kept.lost(source, untold),
        BodyEnd::Panicked(panic) => {
            panic.inspect(|payload| source.report_body(ReportKind::Panicked(payload)));
        }
        BodyEnd::Beside(_) | BodyEnd::Outer => {}
    }
}

/// Reports the error with which something beside a body has ended it, if that is how it has ended. Returns what is still
/// to be reported, also when the context is gone.
pub(super) fn report_beside<C, X, K>(
    context: &C,
    ended: BodyEnd<K, C::Error>,
) -> BodyEnd<K, C::Error>
where
    C: AsyncContext<X>,
{
    match ended {
        BodyEnd::Beside(Some(error)) => {
            lose_error(context, error);
            BodyEnd::Beside(None)
        }
        ended => ended,
    }
}
