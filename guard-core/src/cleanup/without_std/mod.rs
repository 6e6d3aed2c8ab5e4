//! The hand-off without `std`: there is no thread-local, so there is no nest.
//!
//! Each clean-up goes to the spawner by itself, in the order of dropping, and nobody waits.

#![warn(dead_code, unused_imports)]

#[cfg(feature = "alloc")]
mod with_alloc;

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};
#[cfg(feature = "alloc")]
pub use with_alloc::*;

/// Without `std` nobody waits for what was dropped inside a use.
#[derive(Default)]
pub(crate) struct Nest(());

#[allow(clippy::unused_self, reason = "as with `std`")]
impl Nest {
    /// Nothing is left.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Whether there is nothing to wait for.
    #[inline]
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        true
    }

    /// A part of the use is polled.
    #[inline]
    pub(crate) fn during<T>(&mut self, action: impl FnOnce() -> T) -> T {
        action()
    }

    /// [`during`](Self::during) as a function of its own.
    pub(crate) fn during_rarely(&mut self, action: &mut dyn FnMut()) {
        action();
    }
}

/// Drops the block of a use.
pub(crate) fn drop_block(_: &mut Nest, drop_it: &mut dyn FnMut()) {
    drop_it();
}

/// Drops the context of a use.
pub(crate) fn drop_context(_: &mut Nest, drop_it: &mut dyn FnMut()) {
    drop_it();
}

/// Nothing is waited for.
pub(crate) fn poll_settle<C, X>(_: Pin<&mut C>, _: &mut Nest, _: &mut Context<'_>) -> Poll<()>
where
    C: AsyncContext<X>,
{
    Poll::Ready(())
}

/// Nothing is waited for.
pub(crate) fn poll_settle_before_exit<C, X>(
    _: Pin<&mut C>,
    _: &mut Nest,
    _: &mut Context<'_>,
    _: &mut Option<Outcome<X>>,
) -> Poll<()>
where
    C: AsyncContext<X>,
{
    Poll::Ready(())
}

/// The report about a clean-up that is dropped now.
pub(crate) fn dropped<'a, E>() -> ReportKind<'a, E> {
    ReportKind::Abandoned
}
