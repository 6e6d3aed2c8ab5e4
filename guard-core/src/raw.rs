//! Every `unsafe` of the crate: what safe Rust cannot say, each a small type with a safe interface.
//!
//! - A coroutine lends a reference to one of its own locals to whoever polls it ([`Slot`], [`Lend`]).
//! - A future lives beside the context whose resource it borrows ([`Borrowing`]).
//! - A movable handle owns a pinned context and borrows its resource ([`Held`]).
//! - A list of handles grows while the resources of some of them are in use ([`Shelf`]).
//! - Without `std`, a function pointer is kept in an atomic ([`FnCell`]), and a lock spins ([`Shared`]).
//!
//! The first four rest on pinning: what is pinned is dropped before its memory is reused, and each type
//! is `!Unpin`, so that a `&mut` to it does not claim to be the only pointer to its inside.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use crate::scope::Body;
use crate::{AsyncContext, Outcome};

/// Where a coroutine and whoever drives it meet. It lies beside the body future, outlives it, and is
/// only touched while the driver polls or drops that body, or holds the whole coroutine exclusively.
pub(crate) struct Slot<R: ?Sized, X> {
    /// Set while a [`Lend`] holds the resource.
    lent: Cell<Option<NonNull<R>>>,
    told: Cell<Option<Outcome<X>>>,
    /// For a yield inside a foreign combinator that only polls what was woken.
    waker: Cell<Option<Waker>>,
    window: AtomicBool,
    _pinned: PhantomPinned,
}

// SAFETY: the slot is a place to hand over a `&mut R`, an `Outcome<X>` and a `Waker` (which is `Send`);
// sending it sends those.
unsafe impl<R: ?Sized + Send, X: Send> Send for Slot<R, X> {}
// SAFETY: every method needs exclusive access, so `&Slot` gives access to nothing.
unsafe impl<R: ?Sized, X> Sync for Slot<R, X> {}

impl<R: ?Sized, X> Slot<R, X> {
    pub(crate) const fn new() -> Self {
        Self {
            lent: Cell::new(None),
            told: Cell::new(None),
            waker: Cell::new(None),
            window: AtomicBool::new(false),
            _pinned: PhantomPinned,
        }
    }

    /// The coroutine's end of the slot. The caller puts it into the body future that lies beside this
    /// slot and is dropped before it; only generated code ever holds one (see [`Anchor`]).
    pub(crate) fn anchor(self: Pin<&mut Self>) -> Anchor<R, X> {
        // SAFETY: only the address is taken; nothing is moved.
        let slot = NonNull::from(unsafe { self.get_unchecked_mut() });
        Anchor {
            slot,
            _invariant: PhantomData,
        }
    }

    /// Whether the body stands at its yield.
    pub(crate) fn is_lent(self: Pin<&mut Self>) -> bool {
        self.lent.get().is_some()
    }

    /// Whether the body waits in a `cancellable!` window.
    pub(crate) fn in_window(self: Pin<&mut Self>) -> bool {
        self.window.load(Ordering::Relaxed)
    }

    /// The lent resource.
    pub(crate) fn resource<'a>(self: Pin<&'a mut Self>) -> Option<&'a mut R>
    where
        X: 'a,
    {
        // SAFETY: `lent` is set by a `Lend`, which holds a `&mut R` to a valid place, does not use it
        // itself, and unsets `lent` when it ends or is dropped. It lives in the body, which can
        // neither be polled nor dropped during `'a`: both need the coroutine that `'a` borrows.
        self.lent.get().map(|mut lent| unsafe { lent.as_mut() })
    }

    /// Tells the suspended body how its use ended; it goes on when it is polled next.
    pub(crate) fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) {
        self.told.set(Some(outcome));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The coroutine's end of its [`Slot`], handed to the closure that makes the body future.
///
/// Not public API: generated code keeps it in a local of the body future that nothing else can name,
/// and makes from it, once, the [`Handle`] that the user's code moves. The handle borrows that local,
/// so it cannot leave the body future, however it is moved about.
pub struct Anchor<R: ?Sized, X> {
    slot: NonNull<Slot<R, X>>,
    _invariant: PhantomData<Invariant<R, X>>,
}

type Invariant<R, X> = fn(&mut R) -> Outcome<X>;

// SAFETY: an anchor is a reference to a slot, which is what is sent; the slot is `Send` for these.
unsafe impl<R: ?Sized + Send, X: Send> Send for Anchor<R, X> {}
// SAFETY: `&Anchor` gives out handles, which can be sent only if the slot can.
unsafe impl<R: ?Sized, X> Sync for Anchor<R, X> {}

impl<R: ?Sized, X> Anchor<R, X> {
    /// The right to yield, once.
    #[must_use]
    pub fn handle(&self) -> Handle<'_, R, X> {
        Handle {
            slot: self.slot,
            _anchor: PhantomData,
        }
    }
}

/// The right to yield. It is moved by the yield, which is how rustc proves that there is one only.
pub struct Handle<'s, R: ?Sized, X> {
    slot: NonNull<Slot<R, X>>,
    _anchor: PhantomData<&'s Anchor<R, X>>,
}

// SAFETY: as for `Anchor`: what travels is the slot.
unsafe impl<R: ?Sized + Send, X: Send> Send for Handle<'_, R, X> {}
// SAFETY: `&Handle` opens windows, which touch only an atomic.
unsafe impl<R: ?Sized, X> Sync for Handle<'_, R, X> {}

impl<'s, R: ?Sized, X> Handle<'s, R, X> {
    /// Lends the resource to the driver until it tells how the use ended.
    pub fn lend<'a>(self, resource: &'a mut R) -> Lend<'a, R, X>
    where
        's: 'a,
    {
        Lend {
            slot: self.slot,
            resource: NonNull::from(resource),
            lending: false,
            wakes: false,
            _borrow: PhantomData,
        }
    }

    /// [`lend`](Self::lend) for a yield inside another macro, which may poll it only when it is woken.
    pub fn lend_waking<'a>(self, resource: &'a mut R) -> Lend<'a, R, X>
    where
        's: 'a,
    {
        Lend {
            wakes: true,
            ..self.lend(resource)
        }
    }

    /// Marks `future` as a wait that a cancelled enter may give up.
    pub fn window<F: Future>(&self, future: F) -> Window<'_, F> {
        // SAFETY: the handle borrows an anchor, which lives in a body future beside this slot and is
        // dropped before it. The field is an atomic, so that a shared reference to it is all it takes.
        let open = unsafe { &(*self.slot.as_ptr()).window };
        Window { future, open }
    }
}

/// The suspension of a body at its yield.
pub struct Lend<'a, R: ?Sized, X> {
    slot: NonNull<Slot<R, X>>,
    resource: NonNull<R>,
    lending: bool,
    wakes: bool,
    _borrow: PhantomData<(&'a mut R, Invariant<R, X>)>,
}

// SAFETY: it is a `&mut R` and a reference to the slot; both can be sent when `R` and `X` can.
unsafe impl<R: ?Sized + Send, X: Send> Send for Lend<'_, R, X> {}
// SAFETY: `&Lend` gives access to nothing.
unsafe impl<R: ?Sized + Sync, X> Sync for Lend<'_, R, X> {}

impl<R: ?Sized, X> Lend<'_, R, X> {
    fn slot(&self) -> &Slot<R, X> {
        // SAFETY: a `Lend` borrows its handle's anchor, which lives in a body future beside this slot
        // and is dropped before it. It is reached only while the driver polls or drops that body,
        // during which the driver itself does not touch the slot.
        unsafe { self.slot.as_ref() }
    }
}

impl<R: ?Sized, X> Unpin for Lend<'_, R, X> {}

impl<R: ?Sized, X> Future for Lend<'_, R, X> {
    type Output = Outcome<X>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<X>> {
        if !self.lending {
            self.lending = true;
            self.slot().lent.set(Some(self.resource));
        } else if let Some(outcome) = self.slot().told.take() {
            self.lending = false;
            self.slot().lent.set(None);
            return Poll::Ready(outcome);
        }
        if self.wakes {
            self.slot().waker.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl<R: ?Sized, X> Drop for Lend<'_, R, X> {
    fn drop(&mut self) {
        if self.lending {
            self.slot().lent.set(None);
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of `cancellable!`.
    pub struct Window<'s, F> {
        #[pin]
        future: F,
        open: &'s AtomicBool,
    }

    impl<F> PinnedDrop for Window<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            this.open.store(false, Ordering::Relaxed);
        }
    }
}

impl<F: Future> Future for Window<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Closed while the future runs: what it drops or panics with must not find an open window.
        this.open.store(false, Ordering::Relaxed);
        let polled = this.future.poll(cx);
        this.open.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }
}

/// A context and, beside it, a future that borrows its resource.
pub(crate) struct Borrowing<C, X, F, Fut>
where
    C: AsyncContext<X>,
{
    // Dropped first: it borrows from the context.
    body: Option<Fut>,
    context: C,
    start: Option<F>,
    /// Knows the bound that makes [`Body`] of `F`, so that the type need not.
    begin: fn(F, NonNull<C::Resource>) -> Fut,
    _pinned: PhantomPinned,
}

/// A context, and the closure that is to make the future.
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
        context,
        start: Some(start),
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
    pub(crate) fn context(self: Pin<&mut Self>) -> Pin<&mut C> {
        assert!(self.body.is_none(), "the body borrows the context");
        // SAFETY: `context` is pinned with `self`: it is never moved out, and `Borrowing` has no
        // `Drop` and is `!Unpin`.
        unsafe { self.map_unchecked_mut(|this| &mut this.context) }
    }

    pub(crate) fn context_ref(&self) -> &C {
        assert!(self.body.is_none(), "the body borrows the context");
        &self.context
    }

    /// Makes the body from the entered context's resource.
    pub(crate) fn start_body(mut self: Pin<&mut Self>) {
        let resource = NonNull::from(self.as_mut().context().resource());
        // SAFETY: neither pinned field is moved: `body` is `None` and becomes `Some` in place.
        let this = unsafe { self.get_unchecked_mut() };
        let start = this.start.take().expect("the body is started once");
        this.body = Some((this.begin)(start, resource));
    }

    /// The body, pinned.
    pub(crate) fn body(self: Pin<&mut Self>) -> Option<Pin<&mut Fut>> {
        // SAFETY: `body` is pinned with `self`; it leaves its place only by being dropped there.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }.as_pin_mut()
    }

    /// Drops the body, and with it the borrow of the context.
    pub(crate) fn end_body(self: Pin<&mut Self>) {
        // SAFETY: as above; setting a pinned `Option` drops its content in place.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }.set(None);
    }
}

#[cfg(feature = "alloc")]
pub(crate) use held::Held;

#[cfg(feature = "alloc")]
mod held {
    use super::{AsyncContext, NonNull, PhantomData, Pin};
    use alloc::boxed::Box;

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
}

#[cfg(feature = "alloc")]
pub(crate) use shelf::Shelf;

#[cfg(feature = "alloc")]
mod shelf {
    use super::{AsyncContext, Held};
    use crate::shared::Shared;
    use alloc::boxed::Box;
    use alloc::vec::Vec;

    /// A list that can be added to while it is shared, and whose entries can be got at only when it is
    /// not: so what an entry lends stays borrowed as long as the shelf is.
    pub(crate) struct Shelf<T: ?Sized> {
        entries: Shared<Vec<Box<T>>>,
    }

    impl<T: ?Sized> Shelf<T> {
        pub(crate) const fn new() -> Self {
            Self {
                entries: Shared::new(Vec::new()),
            }
        }

        pub(crate) fn push(&self, entry: Box<T>) {
            self.entries.with(|entries| entries.push(entry));
        }

        /// The entries themselves, which nobody borrows from any more.
        pub(crate) fn entries(&mut self) -> &mut Vec<Box<T>> {
            self.entries.get_mut()
        }

        /// Puts an entered context on the shelf and lends its resource for as long as the shelf is
        /// shared.
        #[allow(clippy::mut_from_ref, reason = "what is lent lies behind a pointer of its own")]
        pub(crate) fn lend<C, X>(
            &self,
            held: Held<C, X>,
            into_entry: impl FnOnce(Held<C, X>) -> Box<T>,
        ) -> &mut C::Resource
        where
            C: AsyncContext<X>,
        {
            let mut resource = held.resource;
            self.push(into_entry(held));
            // SAFETY: `held` borrows the resource from a context in a box of its own, and `into_entry`
            // only wraps it: an entry uses it when it exits or is dropped. Entries leave the shelf, and
            // can be reached at all, only through `&mut Shelf` or its destructor, hence after the
            // borrow of `self` that the reference carries. The resource is lent once, here.
            unsafe { resource.as_mut() }
        }
    }
}

#[cfg(not(feature = "std"))]
pub(crate) use fn_cell::FnCell;

#[cfg(not(feature = "std"))]
mod fn_cell {
    use core::marker::PhantomData;
    use core::sync::atomic::{AtomicPtr, Ordering};

    /// A function pointer that can be set at any time, from anywhere.
    pub(crate) struct FnCell<F> {
        pointer: AtomicPtr<()>,
        _function: PhantomData<F>,
    }

    /// The function pointer types that are kept in a cell.
    pub(crate) trait FnPointer: Copy {
        fn into_raw(self) -> *mut ();

        /// # Safety
        ///
        /// `raw` comes from `into_raw` of the same type.
        unsafe fn from_raw(raw: *mut ()) -> Self;
    }

    macro_rules! fn_pointers {
        ($($(#[$cfg:meta])* $type:ty),+ $(,)?) => {$(
            $(#[$cfg])*
            impl FnPointer for $type {
                fn into_raw(self) -> *mut () {
                    self as *mut ()
                }

                unsafe fn from_raw(raw: *mut ()) -> Self {
                    // SAFETY: the caller has it from `into_raw` of this type, and a function pointer
                    // and a data pointer have the same size on every target with atomic pointers.
                    unsafe { core::mem::transmute::<*mut (), $type>(raw) }
                }
            }
        )+};
    }
    fn_pointers!(
        fn(&crate::Report<'_>),
        #[cfg(feature = "alloc")]
        fn(crate::background::Task)
    );

    impl<F: FnPointer> FnCell<F> {
        pub(crate) const fn new() -> Self {
            Self {
                pointer: AtomicPtr::new(core::ptr::null_mut()),
                _function: PhantomData,
            }
        }

        pub(crate) fn set(&self, function: F) {
            self.pointer.store(function.into_raw(), Ordering::Release);
        }

        pub(crate) fn get(&self) -> Option<F> {
            let raw = self.pointer.load(Ordering::Acquire);
            // SAFETY: only `set` stores anything but null, and it stores an `F`.
            (!raw.is_null()).then(|| unsafe { F::from_raw(raw) })
        }
    }
}

#[cfg(all(feature = "alloc", not(feature = "std")))]
pub(crate) use spin::Shared;

#[cfg(all(feature = "alloc", not(feature = "std")))]
mod spin {
    use core::cell::UnsafeCell;
    use core::sync::atomic::{AtomicBool, Ordering};

    /// A value behind a lock that spins: what is done under it is a few instructions long.
    pub(crate) struct Shared<T> {
        locked: AtomicBool,
        value: UnsafeCell<T>,
    }

    // SAFETY: `with` gives access to one thread at a time, so sharing it sends the value around.
    unsafe impl<T: Send> Sync for Shared<T> {}

    impl<T> Shared<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self {
                locked: AtomicBool::new(false),
                value: UnsafeCell::new(value),
            }
        }

        pub(crate) fn with<U>(&self, action: impl FnOnce(&mut T) -> U) -> U {
            struct Unlock<'a>(&'a AtomicBool);
            impl Drop for Unlock<'_> {
                fn drop(&mut self) {
                    self.0.store(false, Ordering::Release);
                }
            }

            while self.locked.swap(true, Ordering::Acquire) {
                core::hint::spin_loop();
            }
            let _unlock = Unlock(&self.locked);
            // SAFETY: the lock was free and is held until `_unlock` is dropped, after `action`; nobody
            // else gets at the value meanwhile.
            action(unsafe { &mut *self.value.get() })
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.value.get_mut()
        }
    }
}
