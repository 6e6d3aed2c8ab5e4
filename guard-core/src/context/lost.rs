//! Errors of contexts that no caller receives: they are reported, and dropped.

use core::mem;
use core::pin::Pin;

use super::AsyncContext;
use crate::platform::panics::{Panic, catch_panic_rarely};
use crate::raw::Ask;
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

/// Takes out an error of what is beside the block of `context`. Its conversion to the context's error may panic.
pub(crate) fn failure_of<C, X>(context: Pin<&mut C>, ask: Ask) -> Result<Option<C::Error>, Panic>
where
    C: AsyncContext<X>,
{
    let (mut context, mut failure) = (context, None);
    catch_panic_rarely(&mut || failure = context.as_mut().failure(ask))?;
    Ok(failure)
}

/// Reports the errors of what is beside the block of `context`, which are not what the use ends with. Several things may have
/// failed.
#[cold]
pub(crate) fn report_failures<C, X>(mut context: Pin<&mut C>, ask: Ask)
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
