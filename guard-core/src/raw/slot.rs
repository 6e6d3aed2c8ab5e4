//! A coroutine lends a reference to one of its own locals to whoever polls it.

use core::cell::Cell;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use crate::Outcome;

/// Where a coroutine and whoever drives it meet. It lies beside the body future, outlives it, and is
/// only touched while the driver polls or drops that body, or holds the whole coroutine exclusively.
pub(crate) struct Slot<R: ?Sized, X> {
    /// Set while the body stands at its yield, by the [`Lend`] that holds the resource.
    lent: Cell<Option<NonNull<R>>>,
    told: Cell<Option<Outcome<X>>>,
    /// For a yield inside a foreign combinator that only polls what was woken: the waker of a [`LendWaking`].
    waker: Cell<Option<NonNull<Waker>>>,
    window: AtomicBool,
    _pinned: PhantomPinned,
}

// SAFETY: the slot is a place to hand over a `&mut R`, an `Outcome<X>` and a `&Waker` (which is `Send`);
// sending it sends those.
unsafe impl<R: ?Sized + Send, X: Send> Send for Slot<R, X> {}
// SAFETY: every method needs exclusive access, so `&Slot` gives access to nothing.
unsafe impl<R: ?Sized, X> Sync for Slot<R, X> {}

impl<R: ?Sized, X> Slot<R, X> {
    #[inline]
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
    #[inline]
    pub(crate) fn anchor(self: Pin<&mut Self>) -> Anchor<R, X> {
        // SAFETY: only the address is taken; nothing is moved.
        let slot = NonNull::from(unsafe { self.get_unchecked_mut() });
        Anchor {
            slot,
            _invariant: PhantomData,
        }
    }

    /// Whether the body stands at its yield.
    #[inline]
    pub(crate) fn is_lent(self: Pin<&mut Self>) -> bool {
        self.lent.get().is_some()
    }

    /// Whether the body waits in a `cancellable!` window.
    #[inline]
    pub(crate) fn in_window(self: Pin<&mut Self>) -> bool {
        self.window.load(Ordering::Relaxed)
    }

    /// The lent resource.
    #[inline]
    pub(crate) fn resource<'a>(self: Pin<&'a mut Self>) -> Option<&'a mut R>
    where
        X: 'a,
    {
        // SAFETY: `lent` is set by a `Lend`, which holds a `&mut R` to a valid place and does not use it itself.
        // It is unset by `tell`, without which the `Lend` does not end, and when the `Lend` is dropped. A `Lend`
        // is a temporary of the body, awaited where it was made, so it is not leaked unless the whole body is;
        // and the body can neither be polled nor dropped during `'a`: both need the coroutine that `'a` borrows.
        self.lent.get().map(|mut lent| unsafe { lent.as_mut() })
    }

    /// Tells the suspended body how its use ended; it goes on when it is polled next.
    #[inline]
    pub(crate) fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) {
        self.told.set(Some(outcome));
        // It is not asked for any more: the body is polled next.
        self.lent.set(None);
        if let Some(waker) = self.waker.take() {
            // SAFETY: `waker` is set by a `LendWaking` to a pinned field of its own, and unset when that is written
            // or dropped. The body, of which it is a part, can neither be polled nor dropped meanwhile: both need
            // the coroutine that is borrowed here.
            unsafe { waker.as_ref() }.wake_by_ref();
        }
    }
}

/// The coroutine's end of its `Slot`, handed to the closure that makes the body future.
///
/// Not public API: generated code keeps it in a local of the body future whose name nothing else can
/// write, and lends through it. It makes from it, once, the [`Handle`] that the user's code moves; but a
/// handle without its anchor can lend nothing, for rustc's messages need a name for it that code could
/// come by as well.
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
    #[inline]
    pub fn handle(&self) -> Handle<'_, R, X> {
        Handle {
            slot: self.slot,
            _anchor: PhantomData,
        }
    }
}

/// The turn to yield. It is moved by the yield, which is how rustc proves that there is one only.
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
    #[inline]
    pub fn lend<'a>(self, anchor: &'a Anchor<R, X>, resource: &'a mut R) -> Lend<'a, R, X>
    where
        's: 'a,
    {
        Lend {
            slot: anchor.slot,
            resource: NonNull::from(resource),
            _borrow: PhantomData,
        }
    }

    /// [`lend`](Self::lend) for a yield inside another macro, which may poll it only when it is woken.
    #[inline]
    pub fn lend_waking<'a>(
        self,
        anchor: &'a Anchor<R, X>,
        resource: &'a mut R,
    ) -> LendWaking<'a, R, X>
    where
        's: 'a,
    {
        LendWaking {
            lend: self.lend(anchor, resource),
            waker: None,
            _pinned: PhantomPinned,
        }
    }

    /// Marks `future` as a wait that a cancelled enter may give up.
    #[inline]
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
    _borrow: PhantomData<(&'a mut R, Invariant<R, X>)>,
}

// SAFETY: it is a `&mut R` and a reference to the slot; both can be sent when `R` and `X` can.
unsafe impl<R: ?Sized + Send, X: Send> Send for Lend<'_, R, X> {}
// SAFETY: `&Lend` gives access to nothing.
unsafe impl<R: ?Sized + Sync, X> Sync for Lend<'_, R, X> {}

impl<R: ?Sized, X> Lend<'_, R, X> {
    #[inline]
    fn slot(&self) -> &Slot<R, X> {
        // SAFETY: a `Lend` borrows its anchor, which lives in a body future beside this slot
        // and is dropped before it. It is reached only while the driver polls or drops that body,
        // during which the driver itself does not touch the slot.
        unsafe { self.slot.as_ref() }
    }
}

impl<R: ?Sized, X> Unpin for Lend<'_, R, X> {}

impl<R: ?Sized, X> Future for Lend<'_, R, X> {
    type Output = Outcome<X>;

    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome<X>> {
        match self.slot().told.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.slot().lent.set(Some(self.resource));
                Poll::Pending
            }
        }
    }
}

impl<R: ?Sized, X> Drop for Lend<'_, R, X> {
    #[inline]
    fn drop(&mut self) {
        self.slot().lent.set(None);
    }
}

/// The suspension of a body at a yield inside another macro.
pub struct LendWaking<'a, R: ?Sized, X> {
    lend: Lend<'a, R, X>,
    waker: Option<Waker>,
    // The slot points to `waker`.
    _pinned: PhantomPinned,
}

impl<R: ?Sized, X> Future for LendWaking<'_, R, X> {
    type Output = Outcome<X>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<X>> {
        // SAFETY: neither field is moved: `lend` is `Unpin`, and `waker` is written in place.
        let this = unsafe { self.get_unchecked_mut() };
        this.lend.slot().waker.set(None);
        let polled = Pin::new(&mut this.lend).poll(cx);
        if polled.is_pending() {
            let waker = NonNull::from(this.waker.insert(cx.waker().clone()));
            this.lend.slot().waker.set(Some(waker));
        }
        polled
    }
}

impl<R: ?Sized, X> Drop for LendWaking<'_, R, X> {
    fn drop(&mut self) {
        self.lend.slot().waker.set(None);
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
        #[inline]
        fn drop(this: Pin<&mut Self>) {
            this.open.store(false, Ordering::Relaxed);
        }
    }
}

impl<F: Future> Future for Window<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Closed while the future runs: what it drops or panics with must not find an open window.
        this.open.store(false, Ordering::Relaxed);
        let polled = this.future.poll(cx);
        this.open.store(polled.is_pending(), Ordering::Relaxed);
        polled
    }
}
