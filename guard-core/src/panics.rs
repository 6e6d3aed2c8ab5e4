//! Panics on their way past a clean-up.
//!
//! With `std` a panic of the body is caught, and resumed after the exit with the same payload, so that
//! the panic hook runs once. Without `std` panics cannot be caught.

use core::pin::Pin;
use core::task::{Context, Poll};

#[cfg(feature = "std")]
use crate::raw::Exclusive;
use crate::report::{Identity, ReportKind};
use crate::{AsyncContext, Outcome};

/// A caught panic.
#[cfg(feature = "std")]
pub(crate) struct Panic(
    // Harmless to share, though the payload is only `Send`.
    Exclusive<std::boxed::Box<dyn core::any::Any + Send>>,
);

/// Without `std` there is none.
#[cfg(not(feature = "std"))]
pub(crate) enum Panic {}

impl Panic {
    /// Goes on with the panic.
    pub(crate) fn resume(self) -> ! {
        #[cfg(feature = "std")]
        {
            std::panic::resume_unwind(self.0.into_inner())
        }
        #[cfg(not(feature = "std"))]
        match self {}
    }

    /// Drops the payload. If its destructor panics, what that panics with is left alone.
    pub(crate) fn discard(self) {
        #[cfg(feature = "std")]
        if let Err(panic) = catch(|| drop(self)) {
            core::mem::forget(panic);
        }
        #[cfg(not(feature = "std"))]
        match self {}
    }

    /// Reports the panic of a body whose caller is gone.
    pub(crate) fn report_body_to<E>(self, identity: Identity<E>) {
        #[cfg(feature = "std")]
        {
            let payload = self.0.into_inner();
            identity.report_body(ReportKind::Panicked(&*payload));
            Self(Exclusive::new(payload)).discard();
        }
        #[cfg(not(feature = "std"))]
        {
            let _ = identity;
            match self {}
        }
    }

    /// Reports the panic, which nobody else will hear of.
    pub(crate) fn report_to<E>(self, identity: Identity<E>) {
        #[cfg(feature = "std")]
        {
            let payload = self.0.into_inner();
            identity.report(ReportKind::Panicked(&*payload));
            Self(Exclusive::new(payload)).discard();
        }
        #[cfg(not(feature = "std"))]
        {
            let _ = identity;
            match self {}
        }
    }
}

/// Calls `action` and catches its panic.
///
/// The callers drop what `action` was using, so that nothing sees it half-changed.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn catch<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(action))
        .map_err(|payload| Panic(Exclusive::new(payload)))
}

#[cfg(not(feature = "std"))]
#[allow(clippy::unnecessary_wraps, reason = "as with `std`")]
#[inline]
pub(crate) fn catch<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
    Ok(action())
}

/// Polls the exit of a context whose body panicked: that panic is the one to go on, so what the exit
/// fails or panics with is reported.
pub(crate) fn poll_exit_after_panic<C, X>(
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
