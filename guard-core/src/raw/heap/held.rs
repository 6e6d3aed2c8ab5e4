//! A movable handle owns a pinned context and borrows its resource.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use crate::AsyncContext;
use crate::cleanup::{Nest, drop_block};
use crate::context::report_failures;
use crate::raw::beside::{ASK, ASK_FOR_ALL, Ask, BesidePtr, EndedBeside, end_beside};
use crate::report::ReportSource;

/// The message if a guard cannot drive what goes on beside its context.
pub(crate) const GUARD_CANNOT_DRIVE: &str = "it is made of a context that goes on beside its block. A guard cannot \
    drive that, because its error is had only by exiting: use it with `async_with!` or `.with(…)`";

/// An entered context on the heap, and a borrow of its resource.
pub(crate) struct Held<C, X>
where
    C: AsyncContext<X>,
{
    pub(super) resource: NonNull<C::Resource>,
    /// What goes on beside the one who uses the resource.
    pub(super) beside: Option<BesidePtr>,
    pub(super) context: Owner<C>,
    _outcome: PhantomData<fn(X)>,
}

/// What goes on beside the one who uses the resource of a [`Held`].
pub(crate) struct HeldBeside<'a> {
    beside: Option<BesidePtr>,
    _held: PhantomData<&'a mut ()>,
}

impl HeldBeside<'_> {
    /// Goes on. Ready when it is to end.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<EndedBeside> {
        match self.beside {
            // SAFETY: the `Held` is borrowed exclusively. It has asked its context, and has not used it since.
            Some(beside) => unsafe { beside.poll(cx, false) },
            None => Poll::Pending,
        }
    }
}

/// A pinned box; a raw pointer because moving a `Box` claims that nothing else points into it.
pub(super) struct Owner<C> {
    place: NonNull<C>,
    _owns: PhantomData<C>,
}

// SAFETY: it is a `Pin<Box<C>>` and a `&mut C::Resource`.
unsafe impl<C, X> Send for Held<C, X>
where
    C: AsyncContext<X> + Send,
    C::Resource: Send,
{
}
// SAFETY: through a `&Held` the rest of the crate has only the `&C::Resource` of `resource`, which several threads may have
// at once if it is `Sync`. Here `KeptContext::look` has a `&C` too, but a `KeptContext` is `Sync` only if `C` is. Whatever
// else uses the context has the `Held` exclusively or by value, so that is one thread, the one that owns it; whether that may
// be another than the one in which the context was entered is what `Send` is about. So nothing is asked of `C`: a boxed
// context, of which it is not known whether it is `Sync`, can be shared while it is held.
unsafe impl<C, X> Sync for Held<C, X>
where
    C: AsyncContext<X>,
    C::Resource: Sync,
{
}

impl<C, X> Held<C, X>
where
    C: AsyncContext<X>,
{
    /// Borrows the resource of a context that has been entered.
    #[inline]
    pub(crate) fn new(context: Pin<Box<C>>) -> Self {
        let mut context = Owner::new(context);
        let beside = context.as_mut().beside(ASK);
        Self {
            resource: NonNull::from(context.as_mut().resource()),
            beside,
            context,
            _outcome: PhantomData,
        }
    }

    /// The resource, and what goes on beside the one who uses it.
    pub(crate) fn drive(&mut self) -> (&mut C::Resource, HeldBeside<'_>) {
        // SAFETY: the context has not been used since it was asked.
        let is_driven = self
            .beside
            .is_none_or(|beside| unsafe { beside.has_early_error() || beside.refuse() });
        if !is_driven {
            // The guard can be used all the same.
            let path = self.use_context(|context| context.report_source().path());
            panic!("`{path}`: {GUARD_CANNOT_DRIVE}");
        }
        let beside = HeldBeside {
            beside: self.beside,
            _held: PhantomData,
        };
        // SAFETY: as in `resource_mut`.
        (unsafe { self.resource.as_mut() }, beside)
    }

    /// Takes the error out with which what goes on has failed.
    pub(crate) fn failure(&mut self) -> Option<C::Error> {
        self.failure_for(ASK_FOR_ALL)
    }

    pub(super) fn failure_for(&mut self, ask: Ask) -> Option<C::Error> {
        self.use_context(|context| context.failure(ask))
    }

    /// How the reports of the context are made.
    pub(crate) fn report_source(&mut self) -> ReportSource<C::Error> {
        self.use_context(|context| context.report_source())
    }

    /// Reports the errors with which what goes on has failed. A panic of their conversion or of their destructors is reported too.
    #[cold]
    pub(crate) fn report_failures(&mut self) {
        self.use_context(|context| report_failures(context, ASK_FOR_ALL));
    }

    /// Uses the context while its resource is lent. Every use of it, also one that only looks at it, ends the validity of the
    /// pointers to what it lends and to what goes on beside it. So they are made anew, also if `action` panics.
    fn use_context<U>(&mut self, action: impl FnOnce(Pin<&mut C>) -> U) -> U {
        struct LendAnew<'a, C, X>(&'a mut Held<C, X>)
        where
            C: AsyncContext<X>;

        impl<C, X> Drop for LendAnew<'_, C, X>
        where
            C: AsyncContext<X>,
        {
            fn drop(&mut self) {
                let Held {
                    resource,
                    beside,
                    context,
                    ..
                } = &mut *self.0;
                *beside = context.as_mut().beside(ASK);
                *resource = NonNull::from(context.as_mut().resource());
            }
        }

        let used = LendAnew(self);
        action(used.0.context.as_mut())
    }

    pub(crate) fn resource(&self) -> &C::Resource {
        // SAFETY: the resource is borrowed from the context, exclusively and for as long as the context is not used
        // otherwise. `release` uses it otherwise, and consumes `self`. So does `use_context`, which then borrows the
        // resource anew.
        unsafe { self.resource.as_ref() }
    }

    pub(crate) fn resource_mut(&mut self) -> &mut C::Resource {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { self.resource.as_mut() }
    }

    /// Ends the borrow of the resource and gives the context back. What goes on is dropped, as by
    /// [`end_beside`](Self::end_beside).
    pub(crate) fn release(mut self, nest: &mut Nest) -> Pin<Box<C>> {
        self.end_beside(nest);
        self.context.into_box()
    }

    /// Drops what goes on: the context is to be exited or dropped. The uses that are dropped by that are left in `nest`, for
    /// which the exit is to wait.
    pub(crate) fn end_beside(&mut self, nest: &mut Nest) {
        if self.beside.take().is_some() {
            let mut ended = Ok(());
            drop_block(nest, &mut || ended = end_beside(self.context.as_mut()));
            if let Err(panic) = ended {
                panic.report_to(self.context.get().report_source());
            }
        }
    }
}

impl<C> Owner<C> {
    pub(super) fn get(&self) -> &C {
        // SAFETY: it comes from a box, and nobody else uses it.
        unsafe { self.place.as_ref() }
    }

    pub(super) fn as_mut(&mut self) -> Pin<&mut C> {
        // SAFETY: it comes from a pinned box, so it is valid, exclusive and stays in place.
        unsafe { Pin::new_unchecked(self.place.as_mut()) }
    }

    fn new(context: Pin<Box<C>>) -> Self {
        // SAFETY: the box is unpacked only to be packed again; until then the context stays where it is.
        let place = Box::into_raw(unsafe { Pin::into_inner_unchecked(context) });
        Self {
            // SAFETY: a box is never null.
            place: unsafe { NonNull::new_unchecked(place) },
            _owns: PhantomData,
        }
    }

    fn into_box(self) -> Pin<Box<C>> {
        let place = self.place;
        core::mem::forget(self);
        // SAFETY: the pointer came from a pinned box, which nobody else owns.
        unsafe { Pin::new_unchecked(Box::from_raw(place.as_ptr())) }
    }
}

impl<C> Drop for Owner<C> {
    fn drop(&mut self) {
        // SAFETY: as in `into_box`, which does not come here.
        drop(unsafe { Box::from_raw(self.place.as_ptr()) });
    }
}
