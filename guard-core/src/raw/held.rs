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
    context: Owner<C>,
    _outcome: PhantomData<fn(X)>,
}

/// A [`Held`] whose resource was lent, or is not to be: it can only be given back.
pub(crate) struct Lent<C, X>(Held<C, X>)
where
    C: AsyncContext<X>;

impl<C, X> Lent<C, X>
where
    C: AsyncContext<X>,
{
    /// Ends the borrow of the resource and gives the context back.
    pub(crate) fn release(self) -> Pin<Box<C>> {
        self.0.release()
    }
}

impl<C, X> From<Held<C, X>> for Lent<C, X>
where
    C: AsyncContext<X>,
{
    fn from(held: Held<C, X>) -> Self {
        Self(held)
    }
}

/// A pinned box; a raw pointer because moving a `Box` claims that nothing else points into it.
struct Owner<C> {
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
// SAFETY: all that can be had through a `&Held` is the `&C::Resource` of `resource`, which several threads may
// have at once if it is `Sync`. The context itself is reached only by value, in `release` and in `Drop`, so by
// one thread, the one that owns the `Held`; whether that may be another than the one in which the context was
// entered is what `Send` is about. So nothing is asked of `C`: a boxed context, of which it is not known
// whether it is `Sync`, can be shared while it is held.
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
    pub(crate) fn new(context: Pin<Box<C>>) -> Self {
        let context = Owner::new(context);
        // SAFETY: it comes from a box, so it is valid, exclusive and stays in place.
        let resource = unsafe { Pin::new_unchecked(&mut *context.place.as_ptr()) }.resource();
        Self {
            resource: NonNull::from(resource),
            context,
            _outcome: PhantomData,
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
        self.context.into_box()
    }
}

impl<C> Owner<C> {
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
