//! A future goes on beside a block. Whoever drives the block polls the future too.
//!
//! The future lies in the body of a context, which is not polled while its resource is lent. So the driver polls it
//! by a pointer of its own: see [`Beside`].

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU16, Ordering};
use core::task::{Context, Poll, Waker, ready};

use super::slot::{Yield, Yielder};
use crate::platform::coop::unconstrained;
use crate::platform::panics::{Panic, catch};
use crate::report::Span;
use crate::{AsyncContext, Outcome};

/// What the hidden methods of a context are asked with. Only this crate can name it, so nobody else can call those
/// methods or write them.
#[derive(Clone, Copy)]
pub struct Ask {
    /// Also the error that a context which catches would be told.
    pub(super) even_if_caught: bool,
}

/// Asks for what goes on beside a block.
pub(crate) const ASK: Ask = Ask {
    even_if_caught: false,
};

/// [`ASK`] for a caller who does not tell the context how the use ended.
#[cfg(feature = "alloc")]
pub(crate) const ASK_FOR_ALL: Ask = Ask {
    even_if_caught: true,
};

/// How something beside a block has ended it.
pub struct Ended {
    /// With this panic. Without one, with an error, which the context keeps.
    pub(crate) panic: Option<Panic>,
}

/// What goes on beside the block of an entered context.
///
/// It is a pointer to a list of pinned nodes in the body of the context. None of them overlaps with the resource, or with
/// anything that is used while the body is suspended. It is valid until the context is polled, asked again, or dropped: so
/// long the body stays suspended at its yield, and everything in it where it is. A context that answers
/// [`beside`](AsyncContext::beside) promises that; all of them are in this crate.
#[derive(Clone, Copy)]
pub struct Beside(NonNull<Node>);

// SAFETY: it is polled only through whoever has the context exclusively, whose parts it points to. So it is sent and shared
// with the context.
unsafe impl Send for Beside {}
// SAFETY: as above.
unsafe impl Sync for Beside {}

/// One thing that goes on beside a block: the first field of what it is a part of.
pub(super) struct Node {
    what: &'static What,
    next: Cell<Option<NonNull<Node>>>,
}

/// The first of a list of nodes.
pub(super) type First = Cell<Option<NonNull<Node>>>;

/// What can be done with a node. The callers hold what [`Beside`] asks for.
struct What {
    /// Ready when it ends the block. An error that is `late` is for a report only: the block has ended.
    poll: unsafe fn(NonNull<Node>, cx: &mut Context<'_>, late: bool) -> Poll<Ended>,
    /// Drops the future.
    end: unsafe fn(NonNull<Node>) -> Result<(), Panic>,
    /// Nobody drives it. Whether nothing goes on; then nothing ever will.
    refuse: unsafe fn(NonNull<Node>) -> bool,
    /// Whether it is a [`Head`] with the type of the context's own error.
    is_own: bool,
    /// Whether the context has the error before it exits.
    #[cfg(feature = "alloc")]
    is_told: bool,
}

impl Beside {
    #[inline]
    pub(super) fn of(first: &First) -> Option<Self> {
        first.get().map(Self)
    }

    /// Goes on. Ready when something ends the block.
    ///
    /// # Safety
    ///
    /// It is valid, and nobody else uses it or the context meanwhile.
    pub(super) unsafe fn poll(self, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        let mut next = Some(self.0);
        while let Some(node) = next {
            // SAFETY: the nodes of the list are valid as long as it is.
            let (what, after) = unsafe { (node.as_ref().what, node.as_ref().next.get()) };
            // SAFETY: as above, and the caller says that nobody else uses it.
            if let Poll::Ready(ended) = unsafe { (what.poll)(node, cx, late) } {
                return Poll::Ready(ended);
            }
            next = after;
        }
        Poll::Pending
    }

    /// Drops what is the context's own. The contexts in its body drop theirs where they exit.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    pub(super) unsafe fn end(self) -> Result<(), Panic> {
        // SAFETY: as the caller says.
        unsafe { (self.0.as_ref().what.end)(self.0) }
    }

    /// Nobody will drive it. Whether nothing goes on, and, since it is refused from now on, never will.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    pub(super) unsafe fn refuse(self) -> bool {
        let mut next = Some(self.0);
        while let Some(node) = next {
            // SAFETY: as in `poll`.
            let (what, after) = unsafe { (node.as_ref().what, node.as_ref().next.get()) };
            // SAFETY: as in `poll`.
            if !unsafe { (what.refuse)(node) } {
                return false;
            }
            next = after;
        }
        true
    }

    /// Whether an error of it can be had before the context exits.
    ///
    /// # Safety
    ///
    /// It is valid.
    #[cfg(feature = "alloc")]
    pub(super) unsafe fn is_told(self) -> bool {
        // SAFETY: the caller says that it is valid.
        let node = unsafe { self.0.as_ref() };
        node.what.is_told && node.next.get().is_none()
    }

    /// Takes the error out with which the context's own future has failed.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll). And if the first node is a [`Head`], it is one of this `E`.
    pub(super) unsafe fn failure<E>(self, ask: Ask) -> Option<E> {
        // SAFETY: it is valid.
        if !unsafe { self.0.as_ref().what.is_own } {
            return None;
        }
        // SAFETY: it is a `Head`, of this type as the caller says, and nobody else uses it.
        let head = unsafe { &mut *self.0.as_ptr().cast::<Head<E>>() };
        if head.catches && !head.is_late && !ask.even_if_caught {
            return None;
        }
        head.error.take()
    }
}

/// Goes on with what is beside a context from which nobody borrows.
pub(crate) fn poll_beside<C, X>(
    context: Pin<&mut C>,
    cx: &mut Context<'_>,
    late: bool,
) -> Poll<Ended>
where
    C: AsyncContext<X>,
{
    match context.beside(ASK) {
        // SAFETY: it was asked for just now, and the context is borrowed exclusively until here.
        Some(beside) => unsafe { beside.poll(cx, late) },
        None => Poll::Pending,
    }
}

/// Drops what goes on beside a context from which nobody borrows.
pub(crate) fn end_beside<C, X>(context: Pin<&mut C>) -> Result<(), Panic>
where
    C: AsyncContext<X>,
{
    match context.beside(ASK) {
        // SAFETY: as in `poll_beside`.
        Some(beside) => unsafe { beside.end() },
        None => Ok(()),
    }
}

/// How a future beside a block may end.
pub trait Ends<E> {
    /// The end, as a `Result`.
    #[allow(clippy::missing_errors_doc, reason = "the error is the end")]
    fn ends(self) -> Result<(), E>;
}

impl<E> Ends<E> for Result<(), E> {
    fn ends(self) -> Result<(), E> {
        self
    }
}

impl<E> Ends<E> for () {
    fn ends(self) -> Result<(), E> {
        Ok(())
    }
}

/// The part of a [`Going`] that does not depend on the future.
#[repr(C)]
struct Head<E> {
    node: Node,
    /// The context is told the error at its yield.
    catches: bool,
    /// It failed when the block had ended.
    is_late: bool,
    error: Option<E>,
}

/// A future that goes on beside a block, and what it failed with.
#[repr(C)]
struct Going<E, F> {
    head: Head<E>,
    /// `None` when it is over. Pinned.
    future: Option<F>,
    /// The span of the context in whose body the future was made.
    span: Span,
    _pinned: PhantomPinned,
}

impl<E, F> Going<E, F>
where
    F: Future<Output: Ends<E>>,
{
    const WHAT: &'static What = &What {
        poll: Self::poll,
        end: Self::end,
        refuse: |_| false,
        is_own: true,
        #[cfg(feature = "alloc")]
        is_told: true,
    };

    fn new(future: F, catches: bool) -> Self {
        Self {
            head: Head {
                node: Node {
                    what: Self::WHAT,
                    next: Cell::new(None),
                },
                catches,
                is_late: false,
                error: None,
            },
            future: Some(future),
            span: Span::none(),
            _pinned: PhantomPinned,
        }
    }

    /// # Safety
    ///
    /// `node` is that of a pinned `Going` of this type, which nobody else uses meanwhile.
    unsafe fn poll(node: NonNull<Node>, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        let going = node.as_ptr().cast::<Self>();
        // SAFETY: the caller says that nobody else uses it. The node is the first field of the first field, both with
        // the layout of C, and the pointer was made from one to all of it.
        let (head, future, span) =
            unsafe { (&mut (*going).head, &mut (*going).future, &(*going).span) };
        // SAFETY: it is pinned, and is never moved out of its place.
        let mut future = unsafe { Pin::new_unchecked(future) };
        let Some(mut running) = future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let mut poll = || unconstrained(cx, |cx| running.as_mut().poll(cx));
        let ended = match catch(|| span.inside(&mut poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => Ok(ended.ends()),
            Err(panic) => Err(panic),
        };
        // Its destructor may panic too.
        let dropped = catch(|| span.inside(|| future.set(None)));
        match (ended, dropped) {
            (Err(panic), dropped) => {
                // The first panic goes on.
                if let Err(second) = dropped {
                    second.discard();
                }
                Poll::Ready(Ended { panic: Some(panic) })
            }
            (Ok(ended), Err(panic)) => {
                // The error is for a report then.
                head.is_late = true;
                head.error = ended.err();
                Poll::Ready(Ended { panic: Some(panic) })
            }
            (Ok(Err(error)), Ok(())) => {
                head.is_late = late;
                head.error = Some(error);
                Poll::Ready(Ended { panic: None })
            }
            (Ok(Ok(())), Ok(())) => Poll::Pending,
        }
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn end(node: NonNull<Node>) -> Result<(), Panic> {
        let going = node.as_ptr().cast::<Self>();
        // SAFETY: as in `poll`.
        let (mut future, span) =
            unsafe { (Pin::new_unchecked(&mut (*going).future), &(*going).span) };
        catch(|| span.inside(|| future.set(None)))
    }
}

/// The suspension of a body at its yield, with a future that goes on beside the block meanwhile.
pub struct YieldBeside<'a, R: ?Sized, X, E, F> {
    lend: Yield<'a, R, X, E>,
    going: Going<E, F>,
    is_listed: bool,
    /// What the yield tells.
    resume: fn(Outcome<X>, Option<E>) -> Outcome<X>,
    /// For a yield inside another macro.
    waker: Option<Waker>,
    // The slot points to `going` and `waker`.
    _pinned: PhantomPinned,
}

// SAFETY: it is a `Yield`, a future and its error. The pointers are to parts of the same body, which is sent as a whole.
unsafe impl<R: ?Sized + Send, X: Send, E: Send, F: Send> Send for YieldBeside<'_, R, X, E, F> {}
// SAFETY: `&YieldBeside` gives access to nothing.
unsafe impl<R: ?Sized + Sync, X, E, F> Sync for YieldBeside<'_, R, X, E, F> {}

impl<'a, R: ?Sized, X, E, F> YieldBeside<'a, R, X, E, F>
where
    F: Future<Output: Ends<E>>,
{
    pub(super) fn new(lend: Yield<'a, R, X, E>, future: F) -> Self {
        Self {
            lend,
            going: Going::new(future, false),
            is_listed: false,
            resume: |outcome, _| outcome,
            waker: None,
            _pinned: PhantomPinned,
        }
    }
}

impl<'a, R: ?Sized, Caught, F> YieldBeside<'a, R, Caught, Caught, F>
where
    F: Future<Output: Ends<Caught>>,
{
    /// The error of the future is what the yield tells.
    pub(super) fn catching(lend: Yield<'a, R, Caught, Caught>, future: F) -> Self {
        Self {
            lend,
            going: Going::new(future, true),
            is_listed: false,
            resume: |outcome, error| error.map_or(outcome, Outcome::Failed),
            waker: None,
            _pinned: PhantomPinned,
        }
    }
}

impl<R: ?Sized, X, E, F> YieldBeside<'_, R, X, E, F> {
    fn leave_list(&mut self) {
        if self.is_listed {
            self.is_listed = false;
            let slot = self.lend.slot();
            slot.beside.set(self.going.head.node.next.get());
            slot.waker.set(None);
        }
    }
}

impl<R: ?Sized, X, E, F> Future for YieldBeside<'_, R, X, E, F> {
    type Output = Outcome<X>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<X>> {
        // SAFETY: nothing is moved: `lend` is `Unpin`, `waker` is written in place, the future is dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        this.lend.slot().waker.set(None);
        if let Poll::Ready(outcome) = Pin::new(&mut this.lend).poll(cx) {
            this.leave_list();
            // SAFETY: it is pinned with `self`. Usually the driver has dropped the future, where it can catch a panic.
            unsafe { Pin::new_unchecked(&mut this.going.future) }.set(None);
            let head = &mut this.going.head;
            let error = head.error.take().filter(|_| !head.is_late);
            return Poll::Ready((this.resume)(outcome, error));
        }
        let waker = NonNull::from(this.waker.insert(cx.waker().clone()));
        let slot = this.lend.slot();
        slot.waker.set(Some(waker));
        if !this.is_listed {
            this.is_listed = true;
            this.going.span = Span::current();
            this.going.head.node.next.set(slot.beside.get());
        }
        // It is the first of the list: what was listed before is around it. The pointer is made anew at each poll, so
        // that it comes from the reference that was used last.
        let going = ptr::addr_of_mut!(this.going);
        slot.beside.set(NonNull::new(going.cast()));
        Poll::Pending
    }
}

impl<R: ?Sized, X, E, F> Drop for YieldBeside<'_, R, X, E, F> {
    fn drop(&mut self) {
        self.leave_list();
    }
}

/// Lists what goes on beside the use of a context whose block has a yield in it: in a context made of contexts.
///
/// While the yield of the outer context lends, nobody polls that use. So whoever drives the outer context goes on with
/// what is beside the inner one. An error of it marks the use, which sees the mark when it is polled again.
#[repr(C)]
pub struct Around<'a> {
    node: Node,
    beside: Option<Beside>,
    marks: &'a AtomicU16,
    /// The list of the outer context, if it is on that.
    list: Option<NonNull<First>>,
    _pinned: PhantomPinned,
}

/// Mark of a use: the future beside its block has ended the block.
pub(crate) const ENDED: u16 = 0x100;
/// Mark of a use: the future beside its block has failed, but only after the block of the outer use had ended.
pub(crate) const ENDED_LATE: u16 = 0x200;

// SAFETY: it points to parts of the same body, which is sent as a whole.
unsafe impl Send for Around<'_> {}
// SAFETY: `&Around` gives access to nothing.
unsafe impl Sync for Around<'_> {}

impl<'a> Around<'a> {
    const WHAT: &'static What = &What {
        poll: Self::poll,
        end: |_| Ok(()),
        refuse: Self::refuse,
        is_own: false,
        #[cfg(feature = "alloc")]
        is_told: false,
    };

    #[inline]
    pub(crate) fn new(beside: Option<Beside>, marks: &'a AtomicU16) -> Self {
        Self {
            node: Node {
                what: Self::WHAT,
                next: Cell::new(None),
            },
            beside,
            marks,
            list: None,
            _pinned: PhantomPinned,
        }
    }

    /// Is listed for the yield that follows.
    #[inline]
    pub fn enter<R: ?Sized, X, E>(self: Pin<&mut Self>, yielder: &Yielder<R, X, E>) {
        if self.beside.is_none() {
            return;
        }
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: a yielder lives in a body future beside its slot, and is dropped before it. The slot is touched only
        // while the driver polls or drops that body, as now. Only the field is referred to.
        let list = unsafe { &(*yielder.slot.as_ptr()).beside };
        this.list = Some(NonNull::from(list));
        this.node.next.set(list.get());
        list.set(NonNull::new(ptr::from_mut(this).cast()));
    }

    /// # Safety
    ///
    /// `node` is that of a pinned `Around`, whose yield lends.
    unsafe fn poll(node: NonNull<Node>, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let this = unsafe { node.cast::<Around<'_>>().as_ref() };
        let Some(beside) = this.beside else {
            return Poll::Pending;
        };
        // SAFETY: the use that has this yield in its block asked for it before the block began. Its context is not
        // polled, nor dropped, before the block has been dropped, and with the block `this`.
        let ended = ready!(unsafe { beside.poll(cx, late) });
        if ended.panic.is_none() {
            let mark = if late { ENDED_LATE } else { ENDED };
            let marks = this.marks.load(Ordering::Relaxed);
            this.marks.store(marks | mark, Ordering::Relaxed);
        }
        Poll::Ready(ended)
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn refuse(node: NonNull<Node>) -> bool {
        // SAFETY: as in `poll`.
        let this = unsafe { node.cast::<Around<'_>>().as_ref() };
        // SAFETY: as in `poll`.
        this.beside.is_none_or(|beside| unsafe { beside.refuse() })
    }
}

impl Drop for Around<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(list) = self.list {
            // SAFETY: the slot outlives the body, of which this is a part, and which is being polled or dropped.
            unsafe { list.as_ref() }.set(self.node.next.get());
        }
    }
}

/// What goes on beside two joined contexts, in a place of its own: the resource of the two is the whole of them.
#[cfg(feature = "alloc")]
pub(crate) struct JoinedBeside(NonNull<Joined>);

#[cfg(feature = "alloc")]
#[repr(C)]
struct Joined {
    node: Node,
    parts: [Option<Beside>; 2],
}

// SAFETY: it points to parts of the two contexts, and is sent with them.
#[cfg(feature = "alloc")]
unsafe impl Send for JoinedBeside {}
// SAFETY: `&JoinedBeside` gives access to nothing.
#[cfg(feature = "alloc")]
unsafe impl Sync for JoinedBeside {}

#[cfg(feature = "alloc")]
impl JoinedBeside {
    const WHAT: &'static What = &What {
        poll: Self::poll,
        end: Self::end,
        refuse: Self::refuse,
        is_own: false,
        is_told: false,
    };

    /// Joins what goes on beside either, if something does.
    pub(crate) fn of(first: Option<Beside>, second: Option<Beside>) -> Option<Self> {
        if first.is_none() && second.is_none() {
            return None;
        }
        let joined = alloc::boxed::Box::new(Joined {
            node: Node {
                what: Self::WHAT,
                next: Cell::new(None),
            },
            parts: [first, second],
        });
        // A pointer instead of the box: to move a box claims that nothing else points into it.
        NonNull::new(alloc::boxed::Box::into_raw(joined)).map(Self)
    }

    pub(crate) fn get(&self) -> Beside {
        Beside(self.0.cast())
    }

    /// # Safety
    ///
    /// `node` is that of a `Joined`, whose contexts have been neither polled nor dropped since they were asked, and which
    /// nobody else uses meanwhile.
    unsafe fn poll(node: NonNull<Node>, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let parts = unsafe { (*node.cast::<Joined>().as_ptr()).parts };
        for beside in parts.into_iter().flatten() {
            // SAFETY: as the caller says.
            if let Poll::Ready(ended) = unsafe { beside.poll(cx, late) } {
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn end(node: NonNull<Node>) -> Result<(), Panic> {
        // SAFETY: as in `poll`.
        let parts = unsafe { (*node.cast::<Joined>().as_ptr()).parts };
        let mut ended = Ok(());
        for beside in parts.into_iter().flatten() {
            // SAFETY: as the caller says.
            match (unsafe { beside.end() }, &ended) {
                (Err(panic), Ok(())) => ended = Err(panic),
                // The first panic goes on.
                (Err(second), Err(_)) => second.discard(),
                (Ok(()), _) => {}
            }
        }
        ended
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn refuse(node: NonNull<Node>) -> bool {
        // SAFETY: as in `poll`.
        let parts = unsafe { (*node.cast::<Joined>().as_ptr()).parts };
        // SAFETY: as the caller says.
        let mut refused = parts
            .into_iter()
            .flatten()
            .map(|beside| unsafe { beside.refuse() });
        refused.all(|refused| refused)
    }
}

#[cfg(feature = "alloc")]
impl Drop for JoinedBeside {
    fn drop(&mut self) {
        // SAFETY: it comes from a box, and the handles of it are not used any more: the joined contexts are dropped, or
        // were asked anew.
        drop(unsafe { alloc::boxed::Box::from_raw(self.0.as_ptr()) });
    }
}

/// Something that a driver goes on with, whoever has it: through a shared reference, also while the one who may add to it
/// or end it is moved.
#[cfg(feature = "alloc")]
pub(crate) trait Drive {
    /// Goes on. Ready when it ends the block. An error that is `late` is for a report only: the block has ended.
    fn poll(&self, cx: &mut Context<'_>, late: bool) -> Poll<Ended>;

    /// Drops what goes on.
    fn end(&self) -> Result<(), Panic>;

    /// Nobody drives it. Whether nothing goes on; then nothing ever will.
    fn refuse(&self) -> bool;
}

/// What a driver goes on with, in a place of its own, which stays where it is.
#[cfg(feature = "alloc")]
#[repr(C)]
pub(crate) struct Place<D> {
    node: Node,
    drive: D,
}

// SAFETY: of the node only `what` and `next` are read, and `next` is never set: nothing lists a `Place`.
#[cfg(feature = "alloc")]
unsafe impl<D: Send> Send for Place<D> {}
// SAFETY: as above.
#[cfg(feature = "alloc")]
unsafe impl<D: Sync> Sync for Place<D> {}

// A panic of the future that goes on is caught where the future is polled, so nobody sees a place in the middle of a change.
#[cfg(feature = "alloc")]
impl<D> core::panic::UnwindSafe for Place<D> {}
#[cfg(feature = "alloc")]
impl<D> core::panic::RefUnwindSafe for Place<D> {}

#[cfg(feature = "alloc")]
impl<D: Drive> Place<D> {
    const WHAT: &'static What = &What {
        poll: Self::poll_node,
        end: Self::end_node,
        refuse: Self::refuse_node,
        is_own: false,
        is_told: true,
    };

    pub(crate) fn new(drive: D) -> alloc::sync::Arc<Self> {
        alloc::sync::Arc::new(Self {
            node: Node {
                what: Self::WHAT,
                next: Cell::new(None),
            },
            drive,
        })
    }

    /// For the driver. The context that answers with it keeps `this` as long as it is to be valid.
    pub(crate) fn beside(this: &alloc::sync::Arc<Self>) -> Beside {
        let place = alloc::sync::Arc::as_ptr(this).cast_mut();
        // SAFETY: a pointer to what is shared is not null.
        Beside(unsafe { NonNull::new_unchecked(place) }.cast())
    }

    /// # Safety
    ///
    /// `node` is that of a `Place` of this type, which is there.
    unsafe fn poll_node(node: NonNull<Node>, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it. It
        // is only shared.
        unsafe { node.cast::<Self>().as_ref() }.drive.poll(cx, late)
    }

    /// # Safety
    ///
    /// As for [`poll_node`](Self::poll_node).
    unsafe fn end_node(node: NonNull<Node>) -> Result<(), Panic> {
        // SAFETY: as in `poll_node`.
        unsafe { node.cast::<Self>().as_ref() }.drive.end()
    }

    /// # Safety
    ///
    /// As for [`poll_node`](Self::poll_node).
    unsafe fn refuse_node(node: NonNull<Node>) -> bool {
        // SAFETY: as in `poll_node`.
        unsafe { node.cast::<Self>().as_ref() }.drive.refuse()
    }
}

#[cfg(feature = "alloc")]
impl<D> core::ops::Deref for Place<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.drive
    }
}

#[cfg(feature = "alloc")]
impl<D: Drive> Drive for Place<D> {
    fn poll(&self, cx: &mut Context<'_>, late: bool) -> Poll<Ended> {
        self.drive.poll(cx, late)
    }

    fn end(&self) -> Result<(), Panic> {
        self.drive.end()
    }

    fn refuse(&self) -> bool {
        self.drive.refuse()
    }
}
