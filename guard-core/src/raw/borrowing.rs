//! A future lives beside the context whose resource it borrows.

use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::beside::{ASK, BesidePtr, EndedBeside};
use crate::AsyncContext;
use crate::context::Body;

/// A context and, beside it, a future that borrows its resource.
pub struct Borrowing<C, X, F, Fut>
where
    C: AsyncContext<X>,
{
    // Dropped first: it borrows from the context.
    body: Option<Fut>,
    context: Option<C>,
    start: Option<F>,
    /// What goes on beside the body. It is used only while the body is there.
    beside: Option<BesidePtr>,
    /// Calls the closure. A function pointer, so that the type needs no bound [`Body`] on `F`.
    begin: fn(F, NonNull<C::Resource>) -> Fut,
    _pinned: PhantomPinned,
}

/// A context, and the closure that is to make the future.
#[inline]
pub(crate) fn borrowing<'r, C, X, F>(
    context: C,
    start: F,
) -> Borrowing<C, X, F, <F as Body<&'r mut C::Resource>>::Fut>
where
    C: AsyncContext<X>,
    C::Resource: 'r,
    F: for<'a> Body<&'a mut C::Resource>,
{
    Borrowing {
        body: None,
        context: Some(context),
        start: Some(start),
        beside: None,
        // SAFETY: `start_body` passes the resource of the pinned context, which stays borrowed as long
        // as the body exists: `context` panics while there is one, and the body is dropped before the
        // context. The body's type names the lifetime `'r`, which may be longer than that; but `F` works
        // for every lifetime, so it cannot make use of which one it is given.
        begin: |start, mut resource| start(unsafe { resource.as_mut() }),
        _pinned: PhantomPinned,
    }
}

impl<C, X, F, Fut> Borrowing<C, X, F, Fut>
where
    C: AsyncContext<X>,
{
    /// The context, while no body borrows from it.
    #[inline]
    pub(crate) fn context(self: Pin<&mut Self>) -> Pin<&mut C> {
        assert!(self.body.is_none(), "the body borrows the context");
        // SAFETY: `context` is pinned with `self`: it leaves its place only by being dropped there, and
        // `Borrowing` has no `Drop` and is `!Unpin`.
        let context = unsafe { self.map_unchecked_mut(|this| &mut this.context) };
        context.as_pin_mut().expect("the context was dropped")
    }

    /// Drops the context, and before it the body.
    #[inline]
    pub(crate) fn end_context(mut self: Pin<&mut Self>) {
        self.as_mut().end_body();
        // SAFETY: as above; setting a pinned `Option` drops its content in place.
        unsafe { self.map_unchecked_mut(|this| &mut this.context) }.set(None);
    }

    /// Makes the body from the entered context's resource. Whether something goes on beside it.
    #[inline]
    pub(crate) fn start_body(mut self: Pin<&mut Self>) -> bool {
        let beside = self.as_mut().context().beside(ASK);
        let resource = NonNull::from(self.as_mut().context().resource());
        // SAFETY: neither pinned field is moved: `body` is `None` and becomes `Some` in place.
        let this = unsafe { self.get_unchecked_mut() };
        let start = this.start.take().expect("the body is started once");
        this.body = Some((this.begin)(start, resource));
        this.beside = beside;
        beside.is_some()
    }

    /// Goes on with what is beside the body.
    pub(crate) fn poll_beside(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EndedBeside> {
        match self.beside {
            // SAFETY: while there is a body nobody reaches the context: `context` panics, and `end_context` drops the
            // body before. So it has not been polled nor dropped since it was asked.
            Some(beside) if self.body.is_some() => unsafe { beside.poll(cx, false) },
            _ => Poll::Pending,
        }
    }

    /// The body, pinned.
    #[inline]
    pub(crate) fn body(self: Pin<&mut Self>) -> Option<Pin<&mut Fut>> {
        // SAFETY: `body` is pinned with `self`; it leaves its place only by being dropped there.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }.as_pin_mut()
    }

    /// Drops the body, and with it the borrow of the context.
    #[inline]
    pub(crate) fn end_body(self: Pin<&mut Self>) {
        // SAFETY: as above; setting a pinned `Option` drops its content in place.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }.set(None);
    }
}
