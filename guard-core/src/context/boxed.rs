//! Contexts on the heap, their types hidden.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::cleanup::{RuntimeId, WaitLimit};
use crate::raw::{Ask, BesidePtr};
use crate::report::{ReportKind, ReportSource};
use crate::{AsyncContext, Outcome};

/// A context of any kind: `Send`, on the heap, its type hidden.
///
/// # Examples
///
/// ```
/// use guard_core::{AsyncContext, BoxContext, async_context, nullcontext, yield_resource};
/// use std::convert::Infallible;
///
/// #[async_context]
/// async fn fresh() -> String {
///     let mut text = String::new();
///     yield_resource!(text);
/// }
///
/// fn choose(reuse: Option<String>) -> BoxContext<'static, String, Infallible> {
///     match reuse {
///         Some(text) => nullcontext(text).boxed(),
///         None => fresh().boxed(),
///     }
/// }
/// # let _ = choose(None);
/// ```
pub type BoxContext<'a, R, E, X = ()> =
    Pin<Box<dyn AsyncContext<X, Resource = R, Error = E> + Send + 'a>>;

/// [`BoxContext`] for contexts that are not `Send`.
pub type LocalBoxContext<'a, R, E, X = ()> =
    Pin<Box<dyn AsyncContext<X, Resource = R, Error = E> + 'a>>;

#[diagnostic::do_not_recommend]
impl<C, X> AsyncContext<X> for Pin<Box<C>>
where
    C: AsyncContext<X> + ?Sized,
{
    type Resource = C::Resource;
    type Error = C::Error;

    #[inline]
    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.get_mut().as_mut().poll_enter(cx)
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut C::Resource {
        self.get_mut().as_mut().resource()
    }

    #[inline]
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), C::Error>> {
        self.get_mut().as_mut().poll_exit(cx, outcome)
    }

    #[inline]
    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        self.get_mut().as_mut().tell(outcome)
    }

    #[inline]
    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        self.get_mut().as_mut().beside(ask)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<C::Error> {
        self.get_mut().as_mut().failure(ask)
    }

    #[inline]
    fn runtime(&self) -> RuntimeId {
        (**self).runtime()
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        self.get_mut().as_mut().poll_wait(cx)
    }

    #[inline]
    fn report_source(&self) -> ReportSource<C::Error> {
        (**self).report_source()
    }

    #[inline]
    fn report(&self, kind: ReportKind<'_, C::Error>) {
        (**self).report(kind);
    }
}
