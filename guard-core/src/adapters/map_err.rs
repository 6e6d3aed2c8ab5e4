//! A context whose errors are converted.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::raw::Ask;
use crate::report::{ReportSource, describe_debug};
use crate::{AsyncContext, Outcome};

pin_project_lite::pin_project! {
    /// The context of [`map_err`](AsyncContext::map_err).
    #[derive(Clone, Debug)]
    #[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
    pub struct MapErr<C, F> {
        #[pin]
        context: C,
        convert: F,
    }
}

impl<C, F> MapErr<C, F> {
    #[inline]
    pub(crate) fn new(context: C, convert: F) -> Self {
        Self { context, convert }
    }
}

#[diagnostic::do_not_recommend]
impl<C, X, F, E> AsyncContext<X> for MapErr<C, F>
where
    C: AsyncContext<X>,
    F: FnMut(C::Error) -> E,
    E: fmt::Debug,
{
    type Resource = C::Resource;
    type Error = E;

    #[inline]
    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let this = self.project();
        this.context.poll_enter(cx).map_err(this.convert)
    }

    #[inline]
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>> {
        let this = self.project();
        this.context.poll_exit(cx, outcome).map_err(this.convert)
    }

    super::forward_to_context!(X);

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let this = self.project();
        this.context.failure(ask).map(this.convert)
    }

    fn report_source(&self) -> ReportSource<E> {
        self.context.report_source().with_error(describe_debug)
    }
}
