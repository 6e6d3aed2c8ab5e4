//! The `tracing` span around a context.

/// Around everything that a context's own code does, in the background too, so that what it logs is
/// found where it belongs. Empty without the feature `tracing`.
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    /// The subscriber where the context was entered, which its clean-up goes on with.
    #[cfg(feature = "tracing")]
    dispatch: Option<tracing::Dispatch>,
}

impl Span {
    #[inline]
    pub(crate) const fn none() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::Span::none(),
            #[cfg(feature = "tracing")]
            dispatch: None,
        }
    }

    /// The span of a context that is entered now, in the current span.
    #[inline]
    pub(crate) fn open<'a>(name: impl FnOnce() -> &'a str) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = name;
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::info_span!("context", name = name()),
            #[cfg(feature = "tracing")]
            dispatch: tracing::dispatcher::get_default(|current| {
                let is_nobody = current.is::<tracing::subscriber::NoSubscriber>();
                (!is_nobody).then(|| current.clone())
            }),
        }
    }

    /// The span in which the caller is: that of a context, or one inside it, where its own code is the caller.
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::Span::current(),
            #[cfg(feature = "tracing")]
            dispatch: None,
        }
    }

    /// The subscriber where the context was entered, if there was one.
    #[cfg(feature = "tracing")]
    pub(crate) fn dispatch(&self) -> Option<&tracing::Dispatch> {
        self.dispatch.as_ref()
    }

    /// Calls `action` inside the span.
    #[cfg_attr(
        not(feature = "tracing"),
        allow(clippy::unused_self, reason = "there is no span to be in")
    )]
    #[inline]
    pub(crate) fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        action()
    }
}
