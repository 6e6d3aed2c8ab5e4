//! Reports of how a body ended, where no caller receives that.

use core::mem;
use core::pin::Pin;

use super::BodyEnd;
use crate::AsyncContext;
use crate::context::lose_error;
use crate::platform::panics::{Panic, catch_panic_rarely};
use crate::raw::Ask;
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

/// Takes the error of the future beside the body. Its conversion to the context's error may panic.
pub(super) fn failure_of<C, X>(context: Pin<&mut C>, ask: Ask) -> Result<Option<C::Error>, Panic>
where
    C: AsyncContext<X>,
{
    let (mut context, mut failure) = (context, None);
    catch_panic_rarely(&mut || failure = context.as_mut().failure(ask))?;
    Ok(failure)
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

/// Reports the errors of what is beside, which are not what the use ends with. Several things may have failed.
#[cold]
pub(super) fn report_failures<C, X>(mut context: Pin<&mut C>, ask: Ask)
where
    C: AsyncContext<X>,
{
    let mut panicked = false;
    loop {
        match failure_of(context.as_mut(), ask) {
            // A context that is made of others says which of them has failed.
            Ok(Some(error)) => lose_error(&*context, error),
            Ok(None) => return,
            Err(panic) => {
                panic.report_to(context.report_source());
                // One conversion of an error has panicked. If asking itself panics, this does not go on for ever.
                if mem::replace(&mut panicked, true) {
                    return;
                }
            }
        }
    }
}
