//! A context that cannot fail, where one that can is asked for.

use core::convert::{Infallible, identity};
use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::context::{Body, Called, With};
use crate::raw::Ask;
use crate::report::{ReportSource, describe_type};
use crate::using::closure::{Converting, closure};
use crate::{AsyncContext, Outcome};

pin_project_lite::pin_project! {
    /// The context of [`with_error`](AsyncContext::with_error).
    #[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
    pub struct WithError<C, E> {
        #[pin]
        context: C,
        _error: PhantomData<fn() -> E>,
    }
}

impl<C, E> WithError<C, E> {
    #[inline]
    pub(crate) fn new(context: C) -> Self {
        Self {
            context,
            _error: PhantomData,
        }
    }
}

impl<C, E> WithError<C, E>
where
    C: AsyncContext<Error = Infallible>,
{
    /// As [`AsyncContext::with`]; the error that is asked for is that of the body.
    ///
    /// So it need not be named:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// use guard_core::{AsyncContext, nullcontext};
    /// use std::io;
    ///
    /// let answer = nullcontext(42)
    ///     .with_error()
    ///     .with(async |answer| Ok::<_, io::Error>(*answer))
    ///     .await?;
    /// assert_eq!(answer, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The body's.
    ///
    /// # Panics
    ///
    /// As [`AsyncContext::with`], and so is cancellation.
    #[inline]
    pub fn with<'r, T, F>(
        self,
        body: F,
    ) -> With<Self, (), F, <F as Body<&'r mut C::Resource>>::Fut, T, E>
    where
        C::Resource: 'r,
        F: for<'a> Body<&'a mut C::Resource, Out = Result<T, E>>
            + for<'a> AsyncFnOnce(&'a mut C::Resource) -> Result<T, E>,
        (F, &'r mut C::Resource): Called,
    {
        Converting::new(closure(self, body), identity)
    }
}

impl<C: fmt::Debug, E> fmt::Debug for WithError<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WithError").field(&self.context).finish()
    }
}

#[diagnostic::do_not_recommend]
impl<C, X, E> AsyncContext<X> for WithError<C, E>
where
    C: AsyncContext<X, Error = Infallible>,
{
    type Resource = C::Resource;
    type Error = E;

    #[inline]
    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let entered = self.project().context.poll_enter(cx);
        entered.map_err(|never| match never {})
    }

    #[inline]
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>> {
        let exited = self.project().context.poll_exit(cx, outcome);
        exited.map_err(|never| match never {})
    }

    super::forward_to_context!(X);

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let failure = self.project().context.failure(ask);
        failure.map(|never| match never {})
    }

    fn report_source(&self) -> ReportSource<E> {
        self.context.report_source().with_error(describe_type)
    }
}
