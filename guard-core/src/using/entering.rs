//! The set-up of a context that is entered by hand, or by another context.

use alloc::boxed::Box;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::AsyncContext;
use crate::cleanup::{Nest, drop_context, poll_settle};
use crate::context::lose_set_up_error;
use crate::report::{ReportSource, drop_before};

/// Enters a context on the heap. Ready with the context and the nest of its set-up.
pub(crate) struct Entering<C, X>
where
    C: AsyncContext<X>,
{
    context: Option<Pin<Box<C>>>,
    /// The error of the set-up, kept while what the set-up dropped is waited for.
    failed: Option<C::Error>,
    nest: Nest,
    _outcome: PhantomData<fn(X)>,
}

impl<C, X> Unpin for Entering<C, X> where C: AsyncContext<X> {}

impl<C, X> Entering<C, X>
where
    C: AsyncContext<X>,
{
    pub(crate) fn new(context: C) -> Self {
        Self {
            context: Some(Box::pin(context)),
            failed: None,
            nest: Nest::new(),
            _outcome: PhantomData,
        }
    }
}

/// Drops the context before the caller is told the error of its set-up.
#[cold]
fn end_failed<C, X>(context: Option<Pin<Box<C>>>, error: C::Error) -> C::Error
where
    C: AsyncContext<X>,
{
    let Some(context) = context else {
        return error;
    };
    let source = context.report_source();
    let mut context = Some(context);
    drop_before(error, source, ReportSource::lose_set_up, &mut || {
        context = None;
    })
}

impl<C, X> Future for Entering<C, X>
where
    C: AsyncContext<X>,
{
    type Output = Result<(Pin<Box<C>>, Nest), C::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let context = this.context.as_mut();
        let context = context.expect("a future was polled after its end");
        if this.failed.is_none() {
            let entered = this.nest.during(|| context.as_mut().poll_enter(cx));
            this.failed = ready!(entered).err();
        }
        if this.failed.is_some() {
            ready!(poll_settle(context.as_mut(), &mut this.nest, cx));
        }
        let context = this.context.take();
        Poll::Ready(match this.failed.take() {
            Some(error) => Err(end_failed(context, error)),
            None => Ok((
                context.expect("it was just polled"),
                mem::take(&mut this.nest),
            )),
        })
    }
}

impl<C, X> Drop for Entering<C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        let Some(context) = &self.context else {
            return;
        };
        if let Some(error) = self.failed.take() {
            lose_set_up_error(&**context, error);
        }
        drop_context(&mut self.nest, &mut || self.context = None);
    }
}
