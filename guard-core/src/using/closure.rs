//! Using a context for the time of an asynchronous closure: `with`, `try_with`, `run`, `catch`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::cannot_fail::CannotFail;
use super::form::{BodyOrContext, Decision, Kept, Value};
use super::{Parts, Runs, Use};
use crate::AsyncContext;
use crate::context::{Body, Untyped};
use crate::raw::{Borrowing, EndedBeside, borrowing};

/// A use that has not begun.
#[allow(
    clippy::type_complexity,
    reason = "futures of closures are spelled out like this"
)]
#[inline]
pub(crate) fn closure<'r, C, X, F, K, Form>(
    context: C,
    body: F,
) -> Use<Borrowing<C, X, F, <F as Body<&'r mut C::Resource>>::Fut>, X, K, C::Error, Form>
where
    C: AsyncContext<X>,
    C::Resource: 'r,
    F: for<'a> Body<&'a mut C::Resource>,
    K: Kept,
{
    Use::new(borrowing(context, body))
}

impl<C, X, F, Fut> Parts<X> for Borrowing<C, X, F, Fut>
where
    C: AsyncContext<X>,
{
    type Context = C;

    #[inline]
    fn context(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.context()
    }

    #[inline]
    fn end_body(self: Pin<&mut Self>) {
        self.end_body();
    }

    #[inline]
    fn end_context(self: Pin<&mut Self>) {
        self.end_context();
    }
}

impl<C, X, F, Fut> Runs<X> for Borrowing<C, X, F, Fut>
where
    C: AsyncContext<X>,
    Fut: Future,
{
    type Output = Fut::Output;

    #[inline]
    fn lend(self: Pin<&mut Self>) -> bool {
        self.start_body()
    }

    fn poll_beside(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EndedBeside> {
        self.poll_beside(cx)
    }

    #[inline]
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        match self.body() {
            Some(body) => body.poll(cx),
            None => unreachable!("the body was started"),
        }
    }
}

// If a bound of the method does not hold, one of these parameters is an associated type that does not exist. So rustc
// reports the bound once, at the call, and not again at the `.await`.

/// The future of [`with`](AsyncContext::with).
pub type With<C, X, F, Fut, T, E> = Converting<
    Use<
        Borrowing<C, X, F, <<Fut as Future>::Output as OutputOf<Fut>>::Future>,
        X,
        Result<T, E>,
        <C as AsyncContext<X>>::Error,
        <X as Untyped>::FirstError,
    >,
    E,
    <C as AsyncContext<X>>::Error,
>;
/// The future of [`try_with`](AsyncContext::try_with).
pub type TryWith<C, X, F, Fut, T, E> = Use<
    Borrowing<C, X, F, <<Fut as Future>::Output as OutputOf<Fut>>::Future>,
    X,
    Result<T, E>,
    <C as AsyncContext<X>>::Error,
    <X as Untyped>::BothErrors,
>;
/// The future of [`run`](AsyncContext::run).
pub type Run<C, X, F, Fut, T> = Use<
    Borrowing<C, X, F, Fut>,
    X,
    Value<T>,
    <C as AsyncContext<X>>::Error,
    <<C as AsyncContext<X>>::Error as CannotFail>::NoError,
>;
/// The future of [`catch`](AsyncContext::catch).
pub type Catch<C, X, F, Fut, T> = Use<
    Borrowing<C, X, F, <<Fut as Future>::Output as OutputOf<Fut>>::Future>,
    X,
    Option<T>,
    <C as AsyncContext<X>>::Error,
    Decision,
>;

/// Maps an output to the future that has it. If `Fut` is no future, the type does not exist, so rustc reports that once.
#[doc(hidden)]
pub trait OutputOf<Fut> {
    /// The future.
    type Future;
}

#[diagnostic::do_not_recommend]
impl<T, E, Fut> OutputOf<Fut> for Result<T, E> {
    type Future = Fut;
}

pin_project_lite::pin_project! {
    /// The future of [`with`](AsyncContext::with): of a use, with the context's error converted into the body's.
    ///
    /// It stores the conversion as a function, so the type needs no bound `From`, which rustc would report again at the
    /// `.await`.
    #[must_use = "the context is entered and the body run when this is awaited: `.await`"]
    pub struct Converting<U, E, C> {
        #[pin]
        used: U,
        convert: fn(C) -> E,
    }
}

impl<U, E, C> Converting<U, E, C> {
    #[inline]
    pub(crate) fn new(used: U, convert: fn(C) -> E) -> Self {
        Self { used, convert }
    }
}

impl<U, T, E, C> Future for Converting<U, E, C>
where
    U: Future<Output = Result<T, BodyOrContext<E, C>>>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let this = self.project();
        this.used.poll(cx).map_err(|error| match error {
            BodyOrContext::Body(error) => error,
            BodyOrContext::Context(error) => (this.convert)(error),
        })
    }
}

impl<U, E, C> fmt::Debug for Converting<U, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Use").finish_non_exhaustive()
    }
}
