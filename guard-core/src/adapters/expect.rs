//! A context whose errors are panics.

use core::convert::Infallible;
use core::fmt;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::raw::Ask;
use crate::report::{ReportSource, describe_type};
use crate::{AsyncContext, Outcome};

pin_project_lite::pin_project! {
    /// The context of [`expect`](AsyncContext::expect).
    #[derive(Clone, Debug)]
    #[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
    pub struct Expect<C, M> {
        #[pin]
        context: C,
        message: M,
        location: &'static Location<'static>,
    }
}

impl<C, M> Expect<C, M> {
    #[track_caller]
    pub(crate) fn new(context: C, message: M) -> Self {
        Self {
            context,
            message,
            location: Location::caller(),
        }
    }
}

impl<C, M: fmt::Display> Expect<C, M> {
    fn failed(message: &M, location: &'static Location<'static>, error: &impl fmt::Debug) -> ! {
        panic!("{message}: {error:?} (expected at {location})")
    }
}

#[diagnostic::do_not_recommend]
impl<C, X, M> AsyncContext<X> for Expect<C, M>
where
    C: AsyncContext<X>,
    C::Error: fmt::Debug,
    M: fmt::Display,
{
    type Resource = C::Resource;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        let this = self.project();
        let entered = this.context.poll_enter(cx);
        entered.map_err(|error| Self::failed(this.message, this.location, &error))
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), Infallible>> {
        let this = self.project();
        let exited = this.context.poll_exit(cx, outcome);
        exited.map_err(|error| Self::failed(this.message, this.location, &error))
    }

    super::forward_to_context!(X);

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<Infallible> {
        let this = self.project();
        let error = this.context.failure(ask)?;
        Self::failed(this.message, this.location, &error)
    }

    fn report_source(&self) -> ReportSource<Infallible> {
        self.context.report_source().with_error(describe_type)
    }
}
