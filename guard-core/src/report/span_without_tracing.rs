//! The module `span` without the feature `tracing`: there are no spans, and no reports go to `tracing`.

use super::Report;

/// Around everything that a context's own code does: nothing.
pub(crate) struct Span(());

impl Span {
    #[inline]
    pub(crate) const fn none() -> Self {
        Self(())
    }

    #[inline]
    pub(crate) fn open<'a>(_: impl FnOnce() -> &'a str) -> Self {
        Self(())
    }

    pub(crate) fn current() -> Self {
        Self(())
    }

    #[allow(clippy::unused_self, reason = "there is no span to be in")]
    #[inline]
    pub(crate) fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        action()
    }
}

/// There is no subscriber.
pub(super) fn sent_to_subscriber(_: &Report<'_>) -> bool {
    false
}
