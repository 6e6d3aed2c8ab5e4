//! A movable handle owns a pinned context and borrows its resource.

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;

use crate::AsyncContext;

/// An entered context on the heap, and a borrow of its resource.
pub(crate) struct Held<C, X>
where
    C: AsyncContext<X>,
{
    pub(super) resource: NonNull<C::Resource>,
    /// Owned; a raw pointer because moving a `Box` claims that nothing else points into it.
    context: NonNull<C>,
    _owns: PhantomData<(C, fn(X))>,
}

// SAFETY: it is a `Pin<Box<C>>` and a `&mut C::Resource`.
unsafe impl<C, X> Send for Held<C, X>
where
    C: AsyncContext<X> + Send,
    C::Resource: Send,
{
}
// SAFETY: `&Held` gives `&C::Resource` and `&C`.
unsafe impl<C, X> Sync for Held<C, X>
where
    C: AsyncContext<X> + Sync,
    C::Resource: Sync,
{
}

impl<C, X> Held<C, X>
where
    C: AsyncContext<X>,
{
    /// Borrows the resource of a context that has been entered.
    pub(crate) fn new(context: Pin<Box<C>>) -> Self {
        // SAFETY: the box is unpacked only to be packed again by `release`; until then the context
        // stays where it is.
        let context = Box::into_raw(unsafe { Pin::into_inner_unchecked(context) });
        // SAFETY: it comes from a box, so it is valid, exclusive and stays in place.
        let resource = unsafe { Pin::new_unchecked(&mut *context) }.resource();
        Self {
            resource: NonNull::from(resource),
            // SAFETY: a box is never null.
            context: unsafe { NonNull::new_unchecked(context) },
            _owns: PhantomData,
        }
    }

    pub(crate) fn resource(&self) -> &C::Resource {
        // SAFETY: the resource is borrowed from the context, exclusively and for as long as the
        // context is not used otherwise: that is, until `release`, which consumes `self`.
        unsafe { self.resource.as_ref() }
    }

    pub(crate) fn resource_mut(&mut self) -> &mut C::Resource {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { self.resource.as_mut() }
    }

    /// Ends the borrow of the resource and gives the context back.
    pub(crate) fn release(self) -> Pin<Box<C>> {
        let context = self.context;
        core::mem::forget(self);
        // SAFETY: the pointer came from a pinned box, which nobody else owns.
        unsafe { Pin::new_unchecked(Box::from_raw(context.as_ptr())) }
    }
}

impl<C, X> Drop for Held<C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        // SAFETY: as in `release`, which does not come here.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}
