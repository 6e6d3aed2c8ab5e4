//! A coroutine lends a reference to one of its own locals to whoever polls it.

use core::cell::Cell;
use core::future::Future;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};

use super::beside::{Ask, BesidePtr, NodeList, YieldBeside};
use crate::Outcome;

/// How far a context has come, while its body is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In its set-up, or before that.
    Entering,
    /// At its yield.
    Lent,
    /// Told how its use ended, in its clean-up.
    Exiting,
    /// Its body panicked. There is nothing left in it.
    Panicked,
}

/// Where a coroutine and whoever drives it meet. It lies beside the body future, outlives it, and is
/// only touched while the driver polls or drops that body, or holds the whole coroutine exclusively. The phase is read at
/// other times too.
pub(crate) struct Slot<R: ?Sized, X, E> {
    /// Set while the body stands at its yield, by the [`Yield`] that holds the resource.
    pub(super) lent: Cell<Option<NonNull<R>>>,
    told: Cell<Option<Outcome<X>>>,
    /// What goes on beside the block, while the body stands at its yield.
    pub(super) beside: NodeList,
    /// The driver has asked for `beside`, so it polls what is there.
    asked: Cell<bool>,
    window: AtomicBool,
    /// The driver's: the body does not use it. It is stored here because it fits into the padding.
    phase: Cell<Phase>,
    _error: PhantomData<fn(E) -> E>,
    _pinned: PhantomPinned,
}

// SAFETY: the slot is a place to hand over a `&mut R` and an `Outcome<X>`; sending it sends those. What goes on beside the
// block is a part of the body that lies beside the slot, and is sent with it.
unsafe impl<R: ?Sized + Send, X: Send, E> Send for Slot<R, X, E> {}
// SAFETY: every method but `phase` needs exclusive access. `phase` reads only what is written with exclusive access.
unsafe impl<R: ?Sized, X, E> Sync for Slot<R, X, E> {}

impl<R: ?Sized, X, E> Slot<R, X, E> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            lent: Cell::new(None),
            told: Cell::new(None),
            beside: Cell::new(None),
            asked: Cell::new(false),
            window: AtomicBool::new(false),
            phase: Cell::new(Phase::Entering),
            _error: PhantomData,
            _pinned: PhantomPinned,
        }
    }

    /// The coroutine's end of the slot. The caller puts it into the body future that lies beside this
    /// slot and is dropped before it; only generated code ever holds one (see [`Yielder`]).
    #[inline]
    pub(crate) fn yielder(self: Pin<&mut Self>) -> Yielder<R, X, E> {
        // SAFETY: only the address is taken; nothing is moved.
        let slot = NonNull::from(unsafe { self.get_unchecked_mut() });
        Yielder {
            slot,
            _invariant: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// To write the phase. Nothing else is borrowed, so the body may use the rest of the slot meanwhile.
    #[inline]
    pub(crate) fn phase_cell<'a>(self: Pin<&'a mut Self>) -> &'a Cell<Phase>
    where
        X: 'a,
        E: 'a,
    {
        &self.into_ref().get_ref().phase
    }

    /// Whether the body stands at its yield.
    #[inline]
    pub(crate) fn is_lent(self: Pin<&mut Self>) -> bool {
        self.lent.get().is_some()
    }

    /// Whether the body has been told how its use ended, and has not been polled since.
    pub(crate) fn is_told(self: Pin<&mut Self>) -> bool {
        let told = self.told.take();
        let is_told = told.is_some();
        self.told.set(told);
        is_told
    }

    /// Takes back what the body has been told, if it has not been polled since.
    pub(crate) fn take_told(self: Pin<&mut Self>) -> Option<Outcome<X>> {
        self.told.take()
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
        E: 'a,
    {
        // If the driver has not asked for `beside`, nothing would poll the future, and nobody would notice.
        if let Some(beside) = BesidePtr::of(&self.beside) {
            // SAFETY: a node is listed while it is there, and the coroutine is borrowed exclusively.
            if !self.asked.get() && !unsafe { beside.refuse() } {
                is_not_driven();
            }
        }
        // SAFETY: `lent` is set by a `Yield`, which holds a `&mut R` to a valid place and does not use it itself.
        // It is unset by `tell`, without which the `Yield` does not end, and when the `Yield` is dropped. A `Yield`
        // is a temporary of the body, awaited where it was made, so it is not leaked unless the whole body is;
        // and the body can neither be polled nor dropped during `'a`: both need the coroutine that `'a` borrows.
        self.lent.get().map(|mut lent| unsafe { lent.as_mut() })
    }

    /// What goes on beside the block. The body stands at its yield, and stays there while this is used.
    #[inline]
    pub(crate) fn beside(self: Pin<&mut Self>) -> Option<BesidePtr> {
        let beside = BesidePtr::of(&self.beside)?;
        self.asked.set(true);
        Some(beside)
    }

    /// Takes the error out with which the future beside the block has failed.
    pub(crate) fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let beside = BesidePtr::of(&self.beside)?;
        // SAFETY: a node is listed while it is there, and the coroutine is borrowed exclusively. What is listed first by
        // this slot's own token has the error `E`, as the token has.
        unsafe { beside.failure(ask) }
    }

    /// Tells the suspended body how its use ended; it goes on when it is polled next.
    #[inline]
    pub(crate) fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) {
        self.told.set(Some(outcome));
        // The resource is not lent any more: the next call polls the body.
        self.lent.set(None);
    }
}

#[cold]
pub(crate) fn is_not_driven() -> ! {
    panic!(
        "something goes on beside the block of this context, and what uses the context cannot drive that: use it with \
         `async_with!`, `.with(…)` or a guard, without a hand-written context around it"
    )
}

/// The coroutine's end of its `Slot`, handed to the closure that makes the body future.
///
/// Not public API. Generated code keeps the yielder in a local of the body future, and no other code can write the name of
/// that local. The yielder makes one [`YieldToken`], which the yield consumes. The local of the token has a name that rustc
/// prints in its messages, so other code can write that name too. That does no harm: without the yielder a token lends
/// nothing.
pub struct Yielder<R: ?Sized, X, E> {
    pub(super) slot: NonNull<Slot<R, X, E>>,
    _invariant: PhantomData<Invariant<R, X, E>>,
}

type Invariant<R, X, E> = fn(&mut R, E) -> (Outcome<X>, E);

// SAFETY: a yielder is a reference to a slot, which is what is sent; the slot is `Send` for these.
unsafe impl<R: ?Sized + Send, X: Send, E> Send for Yielder<R, X, E> {}
// SAFETY: what can be had through an `&Yielder` lends through the same slot, so this asks for what sending it asks for.
unsafe impl<R: ?Sized + Send, X: Send, E> Sync for Yielder<R, X, E> {}

impl<R: ?Sized, X, E> Yielder<R, X, E> {
    /// The right to yield, once.
    #[must_use]
    #[inline]
    pub fn token(&self) -> YieldToken<'_, R, X, E> {
        YieldToken {
            _yielder: PhantomData,
        }
    }
}

/// The turn to yield. It is moved by the yield, which is how rustc proves that there is one only. It has no size: the
/// yielder, which everything else needs, is there as well.
pub struct YieldToken<'s, R: ?Sized, X, E> {
    _yielder: PhantomData<&'s Yielder<R, X, E>>,
}

impl<'s, R: ?Sized, X, E> YieldToken<'s, R, X, E> {
    /// Moves the token. If that is done twice, rustc prints the line of `self`, whose comment is for the user who reads that.
    #[must_use]
    #[inline]
    pub fn once(
        self, // a path has one yield: leave a loop after it; lend several values as a tuple, or write a context for each
    ) -> Self {
        self
    }

    /// Lends the resource to the driver until it tells how the use ended.
    #[inline]
    pub fn lend<'a>(self, yielder: &'a Yielder<R, X, E>, resource: &'a mut R) -> Yield<'a, R, X, E>
    where
        's: 'a,
    {
        Yield {
            slot: yielder.slot,
            resource: NonNull::from(resource),
            _borrow: PhantomData,
        }
    }

    // If the second argument of a yield is no such future, rustc prints the line of the bound. The comment on that line is for
    // the user who reads the message.

    /// [`lend`](Self::lend), and what goes on beside the block. It is made before the resource is borrowed.
    #[inline]
    pub fn lend_beside<'a, F>(
        self,
        yielder: &'a Yielder<R, X, E>,
        beside: F,
        resource: &'a mut R,
    ) -> YieldBeside<'a, R, X, E, F>
    where
        F: Future<Output = Result<(), E>>, // what goes on beside the block; to lend several, lend a tuple
        's: 'a,
    {
        YieldBeside::new(self.lend(yielder, resource), beside)
    }

    /// [`lend_beside`](Self::lend_beside) in a context that cannot fail.
    #[inline]
    pub fn lend_beside_unfailing<'a, F>(
        self,
        yielder: &'a Yielder<R, X, E>,
        beside: F,
        resource: &'a mut R,
    ) -> YieldBeside<'a, R, X, E, F>
    where
        F: Future<Output = ()>, // what goes on beside the block; to lend several, lend a tuple
        's: 'a,
    {
        YieldBeside::new(self.lend(yielder, resource), beside)
    }

    /// Marks `future` as a wait that a cancelled enter may give up.
    #[inline]
    pub fn window<'a, F: Future>(&self, yielder: &'a Yielder<R, X, E>, future: F) -> Window<'a, F> {
        // SAFETY: the yielder lives in a body future beside this slot and is dropped before it. The field is an
        // atomic, so that a shared reference to it is all it takes.
        let open = unsafe { &(*yielder.slot.as_ptr()).window };
        Window { future, open }
    }
}

impl<'s, R: ?Sized, Caught> YieldToken<'s, R, Caught, Caught> {
    /// [`lend_beside`](Self::lend_beside) in a context that catches: it is told the error.
    #[inline]
    pub fn lend_beside_catching<'a, F>(
        self,
        yielder: &'a Yielder<R, Caught, Caught>,
        beside: F,
        resource: &'a mut R,
    ) -> YieldBeside<'a, R, Caught, Caught, F>
    where
        F: Future<Output = Result<(), Caught>>, // what goes on beside the block; to lend several, lend a tuple
        's: 'a,
    {
        YieldBeside::catching(self.lend(yielder, resource), beside)
    }
}

/// The suspension of a body at its yield.
pub struct Yield<'a, R: ?Sized, X, E> {
    slot: NonNull<Slot<R, X, E>>,
    resource: NonNull<R>,
    _borrow: PhantomData<(&'a mut R, Invariant<R, X, E>)>,
}

// SAFETY: it is a `&mut R` and a reference to the slot; both can be sent when `R` and `X` can.
unsafe impl<R: ?Sized + Send, X: Send, E> Send for Yield<'_, R, X, E> {}
// SAFETY: `&Yield` gives access to nothing.
unsafe impl<R: ?Sized + Sync, X, E> Sync for Yield<'_, R, X, E> {}

impl<R: ?Sized, X, E> Yield<'_, R, X, E> {
    #[inline]
    pub(super) fn slot(&self) -> &Slot<R, X, E> {
        // SAFETY: a `Yield` borrows its yielder, which lives in a body future beside this slot
        // and is dropped before it. It is reached only while the driver polls or drops that body,
        // during which the driver itself touches nothing in the slot but the phase, which is a `Cell`.
        unsafe { self.slot.as_ref() }
    }
}

impl<R: ?Sized, X, E> Unpin for Yield<'_, R, X, E> {}

impl<R: ?Sized, X, E> Future for Yield<'_, R, X, E> {
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

impl<R: ?Sized, X, E> Drop for Yield<'_, R, X, E> {
    #[inline]
    fn drop(&mut self) {
        self.slot().lent.set(None);
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
