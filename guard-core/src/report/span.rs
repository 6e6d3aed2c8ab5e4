//! What goes to `tracing`: the span around a context, and reports.

use super::Report;

/// Around everything that a context's own code does, in the background too, so that what it logs is
/// found where it belongs.
pub(crate) struct Span {
    span: tracing::Span,
    /// The subscriber where the context was entered, which its clean-up goes on with.
    dispatch: Option<tracing::Dispatch>,
}

impl Span {
    #[inline]
    pub(crate) const fn none() -> Self {
        Self {
            span: tracing::Span::none(),
            dispatch: None,
        }
    }

    /// The span of a context that is entered now, in the current span.
    #[inline]
    pub(crate) fn open<'a>(name: impl FnOnce() -> &'a str) -> Self {
        Self {
            span: tracing::info_span!("context", name = name()),
            dispatch: tracing::dispatcher::get_default(|current| {
                let is_nobody = current.is::<tracing::subscriber::NoSubscriber>();
                (!is_nobody).then(|| current.clone())
            }),
        }
    }

    /// The span in which the caller is: that of a context, or one inside it, where its own code is the caller.
    pub(crate) fn current() -> Self {
        Self {
            span: tracing::Span::current(),
            dispatch: None,
        }
    }

    /// The subscriber where the context was entered, if there was one.
    pub(crate) fn dispatch(&self) -> Option<&tracing::Dispatch> {
        self.dispatch.as_ref()
    }

    /// Calls `action` inside the span.
    #[inline]
    pub(crate) fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        let _entered = self.span.enter();
        action()
    }
}

/// Returns whether there is a subscriber, so that the report is not lost where there is none.
pub(super) fn sent_to_subscriber(report: &Report<'_>) -> bool {
    let is_nobody = |current: &tracing::Dispatch| current.is::<tracing::subscriber::NoSubscriber>();
    if tracing::dispatcher::get_default(is_nobody) {
        return false;
    }
    tracing::error!(
        context = report.name(),
        location = report.location().map(tracing::field::display),
        error = report.error().map(tracing::field::display),
        "{report}",
    );
    true
}
