//! A future goes on beside a block. Whoever drives the block polls the future too.
//!
//! The future lies in the body of a context, which is not polled while its resource is lent. So the driver polls it
//! by a pointer of its own: see [`BesidePtr`].
//!
//! # Aliasing
//!
//! Why that pointer stays valid, by the rules of Stacked Borrows and of Tree Borrows:
//!
//! - It is made at each poll of the body that comes to the yield, from the reference by which the future is polled there.
//!   So it is younger than every reference that was used for that poll.
//! - Until the body is polled or dropped, nobody uses the bytes of a node but by this pointer. The block uses the
//!   resource, which is another place.
//! - Meanwhile references to the context are made, to ask it. The body and the slot in it are `!Unpin`, so such a
//!   reference makes no claim on their bytes: it neither takes the pointer off the stack nor disables it in the tree.
//! - While a driver polls by the pointer it uses no reference to the context. One that exists meanwhile, as in
//!   [`poll_beside`], makes no claim, for the same reason.

mod at_yield;
#[cfg(feature = "alloc")]
pub(super) mod drive;
#[cfg(feature = "alloc")]
pub(super) mod joined;
mod yielded;

use core::cell::Cell;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

pub(crate) use self::at_yield::BesideAtYield;
use self::yielded::Head;
pub(super) use self::yielded::YieldBeside;
use crate::AsyncContext;
use crate::platform::panics::Panic;

/// The argument of the hidden methods of a context. Only this crate can name its type, so no other crate can call or
/// implement those methods.
#[derive(Clone, Copy)]
pub struct Ask {
    /// Also take the error that a context which catches would be told at its yield.
    pub(super) even_if_caught: bool,
    /// Which error to take, if several things go on beside the block.
    which: Which,
}

/// Of several things beside a block one ends it. The errors of the others come when the block has ended.
#[derive(Clone, Copy)]
enum Which {
    Any,
    /// The one that has ended the block.
    First,
    /// The errors that came after the first one.
    Late,
}

/// Asks for what goes on beside a block.
pub(crate) const ASK: Ask = Ask {
    even_if_caught: false,
    which: Which::Any,
};

/// [`ASK`] for the error that has ended the block.
pub(crate) const ASK_FOR_FIRST: Ask = Ask {
    which: Which::First,
    ..ASK
};

/// [`ASK`] for an error that came when the block had ended.
pub(crate) const ASK_FOR_LATE: Ask = Ask {
    which: Which::Late,
    ..ASK
};

/// [`ASK`] for a caller who does not tell the context how the use ended.
pub(crate) const ASK_FOR_ALL: Ask = Ask {
    even_if_caught: true,
    ..ASK
};

/// How something beside a block has ended it.
pub struct EndedBeside {
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
pub struct BesidePtr(NonNull<Node>);

// SAFETY: it is polled only through whoever has the context exclusively, whose parts it points to. So it is sent and shared
// with the context.
unsafe impl Send for BesidePtr {}
// SAFETY: as above.
unsafe impl Sync for BesidePtr {}

/// One thing that goes on beside a block: the first field of what it is a part of.
pub(super) struct Node {
    vtable: &'static NodeVtable,
    next: Cell<Option<NonNull<Node>>>,
}

/// Receives the panics after the first one.
pub(crate) type LaterPanics<'a> = dyn FnMut(Panic) + 'a;

/// Ends one after the other, each with `end`. Returns the first panic, and gives the others to `later`.
pub(crate) fn end_each<T>(
    all: impl Iterator<Item = T>,
    later: &mut LaterPanics<'_>,
    end: impl Fn(T, &mut LaterPanics<'_>) -> Result<(), Panic>,
) -> Result<(), Panic> {
    let mut ended = Ok(());
    for one in all {
        match (end(one, later), &ended) {
            (Err(panic), Ok(())) => ended = Err(panic),
            (Err(second), Err(_)) => later(second),
            (Ok(()), _) => {}
        }
    }
    ended
}

/// A list of nodes, which holds the first of them.
pub(super) type NodeList = Cell<Option<NonNull<Node>>>;

/// What can be done with a node. The callers hold what [`BesidePtr`] asks for.
struct NodeVtable {
    /// Ready when it ends the block. An error that comes `after_block` is for a report only.
    poll: unsafe fn(NonNull<Node>, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside>,
    /// Drops the future. If several panic, `later` is given all panics but the first.
    end: unsafe fn(NonNull<Node>, later: &mut LaterPanics<'_>) -> Result<(), Panic>,
    /// Called if nothing polls it. Returns whether nothing goes on; if so, nothing can begin to go on later.
    refuse: unsafe fn(NonNull<Node>) -> bool,
    /// Whether it is a [`Head`] with the type of the context's own error.
    is_own: bool,
    /// Whether the error can be taken before the context exits.
    has_early_error: bool,
}

impl BesidePtr {
    #[inline]
    pub(super) fn of(list: &NodeList) -> Option<Self> {
        list.get().map(Self)
    }

    /// Goes on. Ready when something ends the block.
    ///
    /// # Safety
    ///
    /// It is valid, and nobody else uses it or the context meanwhile.
    pub(super) unsafe fn poll(self, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside> {
        let mut next = Some(self.0);
        while let Some(node) = next {
            // SAFETY: the nodes of the list are valid as long as it is.
            let (vtable, after) = unsafe { (node.as_ref().vtable, node.as_ref().next.get()) };
            // SAFETY: as above, and the caller says that nobody else uses it.
            if let Poll::Ready(ended) = unsafe { (vtable.poll)(node, cx, after_block) } {
                return Poll::Ready(ended);
            }
            next = after;
        }
        Poll::Pending
    }

    /// Drops the future of the context itself. The contexts inside its body drop their futures when they exit. If several
    /// panic, `later` is given all panics but the first.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    pub(super) unsafe fn end(self, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        // SAFETY: as the caller says.
        unsafe { (self.0.as_ref().vtable.end)(self.0, later) }
    }

    /// Called if nothing polls it. Returns whether nothing goes on; if so, nothing can begin to go on later.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    pub(super) unsafe fn refuse(self) -> bool {
        let mut next = Some(self.0);
        while let Some(node) = next {
            // SAFETY: as in `poll`.
            let (vtable, after) = unsafe { (node.as_ref().vtable, node.as_ref().next.get()) };
            // SAFETY: as in `poll`.
            if !unsafe { (vtable.refuse)(node) } {
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
    pub(super) unsafe fn has_early_error(self) -> bool {
        // SAFETY: the caller says that it is valid.
        let node = unsafe { self.0.as_ref() };
        node.vtable.has_early_error && node.next.get().is_none()
    }

    /// Takes the error out with which the context's own future has failed.
    ///
    /// # Safety
    ///
    /// As for [`poll`](Self::poll). And if the first node is a [`Head`], it is one of this `E`.
    pub(super) unsafe fn failure<E>(self, ask: Ask) -> Option<E> {
        // SAFETY: it is valid.
        if !unsafe { self.0.as_ref().vtable.is_own } {
            return None;
        }
        // SAFETY: it is a `Head`, of this type as the caller says, and nobody else uses it.
        let head = unsafe { &mut *self.0.as_ptr().cast::<Head<E>>() };
        if head.catches && !head.is_after_block && !ask.even_if_caught {
            return None;
        }
        match ask.which {
            Which::First if head.is_after_block => return None,
            Which::Late if !head.is_after_block => return None,
            _ => {}
        }
        head.error.take()
    }
}

/// Goes on with what is beside a context from which nobody borrows.
pub(crate) fn poll_beside<C, X>(
    context: Pin<&mut C>,
    cx: &mut Context<'_>,
    after_block: bool,
) -> Poll<EndedBeside>
where
    C: AsyncContext<X>,
{
    match context.beside(ASK) {
        // SAFETY: it was asked for just now, and the context is borrowed exclusively until here.
        Some(beside) => unsafe { beside.poll(cx, after_block) },
        None => Poll::Pending,
    }
}

/// Drops what goes on beside a context from which nobody borrows. Returns the first panic, and reports the others.
pub(crate) fn end_beside<C, X>(context: Pin<&mut C>) -> Result<(), Panic>
where
    C: AsyncContext<X>,
{
    let source = context.report_source();
    let mut later = |panic: Panic| panic.report_to(source);
    match context.beside(ASK) {
        // SAFETY: as in `poll_beside`.
        Some(beside) => unsafe { beside.end(&mut later) },
        None => Ok(()),
    }
}
