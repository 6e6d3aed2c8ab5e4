//! What goes on beside a block that has a yield in it: it is listed at that yield.

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, ready};

use super::{BesidePtr, EndedBeside, Node, NodeList, NodeVtable};
use crate::raw::marks::{ENDED, ENDED_AFTER_BLOCK, Marks, YIELDS};
use crate::raw::slot::{Slot, Yielder};

/// Lists what goes on beside the use of a context whose block has a yield in it: in a context made of contexts.
///
/// While the yield of the outer context lends, nobody polls that use. So whoever drives the outer context goes on with
/// what is beside the inner one. An error of it marks the use, which sees the mark when it is polled again.
///
/// The use is still being polled when the block comes to the yield, and would then go on with what is beside it. If that
/// failed, whoever drives the outer context would never hear of it, and the block there would run to its own end. So from
/// [`enter`](Self::enter) on the use goes on only by a [`Gate`], which is closed while the yield lends.
#[repr(C)]
pub struct BesideAtYield<'a> {
    node: Node,
    gate: Gate<'a>,
    /// Where the use finds what goes on beside it.
    place: &'a Cell<Option<BesidePtr>>,
    /// The list of the outer context, if it is on that.
    list: Option<NonNull<NodeList>>,
    _pinned: PhantomPinned,
}

/// What the use itself goes on with, in place of what is beside it.
#[repr(C)]
struct Gate<'a> {
    node: Node,
    beside: Option<BesidePtr>,
    marks: &'a Marks,
    /// The slot of the outer context.
    slot: NonNull<()>,
    /// Whether the body of that slot stands at its yield.
    is_lent: unsafe fn(NonNull<()>) -> bool,
}

// SAFETY: it points to parts of the same body, which is sent as a whole.
unsafe impl Send for BesideAtYield<'_> {}
// SAFETY: `&BesideAtYield` gives access to nothing.
unsafe impl Sync for BesideAtYield<'_> {}

impl<'a> BesideAtYield<'a> {
    const VTABLE: &'static NodeVtable = &NodeVtable {
        poll: Self::poll,
        end: |_, _| Ok(()),
        refuse: Self::refuse,
        is_own: false,
        has_early_error: false,
    };

    /// `place` is where the use finds what goes on beside it.
    #[inline]
    pub(crate) fn new(place: &'a Cell<Option<BesidePtr>>, marks: &'a Marks) -> Self {
        Self {
            node: Node {
                vtable: Self::VTABLE,
                next: Cell::new(None),
            },
            gate: Gate {
                node: Node {
                    vtable: Gate::VTABLE,
                    next: Cell::new(None),
                },
                beside: place.get(),
                marks,
                slot: NonNull::dangling(),
                is_lent: |_| false,
            },
            place,
            list: None,
            _pinned: PhantomPinned,
        }
    }

    /// Goes on the list of the outer context, for the yield that follows.
    #[inline]
    pub fn enter<R: ?Sized, X, E>(self: Pin<&mut Self>, yielder: &Yielder<R, X, E>) {
        if self.gate.beside.is_none() {
            return;
        }
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.gate.slot = yielder.slot.cast();
        this.gate.is_lent = is_lent::<R, X, E>;
        // SAFETY: a yielder lives in a body future beside its slot, and is dropped before it. The slot is touched only
        // while the driver polls or drops that body, as now. Only the field is referred to.
        let list = unsafe { &(*yielder.slot.as_ptr()).beside };
        this.list = Some(NonNull::from(list));
        this.node.next.set(list.get());
        let place = this.place;
        let this = ptr::from_mut(this);
        list.set(NonNull::new(this.cast()));
        // SAFETY: it points to the field of what was just borrowed.
        let gate = unsafe { &raw mut (*this).gate };
        place.set(NonNull::new(gate.cast()).map(BesidePtr));
    }

    /// # Safety
    ///
    /// `node` is that of a pinned `BesideAtYield`, whose yield lends.
    unsafe fn poll(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let this = unsafe { node.cast::<BesideAtYield<'_>>().as_ref() };
        let Some(beside) = this.gate.beside else {
            return Poll::Pending;
        };
        // SAFETY: the use that has this yield in its block asked for it before the block began. Its context is not
        // polled, nor dropped, before the block has been dropped, and with the block `this`.
        let ended = ready!(unsafe { beside.poll(cx, after_block) });
        // The driver of the outer context resumes the panic. If there is an error too, it is only reported.
        let mark = if after_block || ended.panic.is_some() {
            ENDED_AFTER_BLOCK
        } else {
            ENDED
        };
        this.gate.marks.add(mark);
        Poll::Ready(ended)
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn refuse(node: NonNull<Node>) -> bool {
        // SAFETY: as in `poll`.
        let this = unsafe { node.cast::<BesideAtYield<'_>>().as_ref() };
        let beside = this.gate.beside;
        // SAFETY: as in `poll`.
        beside.is_none_or(|beside| unsafe { beside.refuse() })
    }
}

impl Gate<'_> {
    const VTABLE: &'static NodeVtable = &NodeVtable {
        poll: Self::poll,
        // Not here: the driver of the inner use ends and refuses the future beside it through the inner context.
        end: |_, _| Ok(()),
        refuse: |_| false,
        is_own: false,
        has_early_error: false,
    };

    /// # Safety
    ///
    /// `node` is that of a `Gate` in a pinned `BesideAtYield` that has entered. The body of its slot is being polled.
    unsafe fn poll(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let this = unsafe { node.cast::<Gate<'_>>().as_ref() };
        let Some(beside) = this.beside else {
            return Poll::Pending;
        };
        // SAFETY: `enter` has set both, and the slot outlives the body, of which this is a part.
        if unsafe { (this.is_lent)(this.slot) } {
            this.marks.add(YIELDS);
            return Poll::Pending;
        }
        // SAFETY: as in `BesideAtYield::poll`.
        unsafe { beside.poll(cx, after_block) }
    }
}

/// # Safety
///
/// `slot` is one of these types, and its body is being polled.
unsafe fn is_lent<R: ?Sized, X, E>(slot: NonNull<()>) -> bool {
    let slot = slot.cast::<Slot<R, X, E>>().as_ptr();
    // SAFETY: as the caller says. The slot is touched only while the driver polls or drops that body. Only the field is
    // referred to.
    unsafe { &(*slot).lent }.get().is_some()
}

impl Drop for BesideAtYield<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(list) = self.list {
            // SAFETY: the slot outlives the body, of which this is a part, and which is being polled or dropped.
            unsafe { list.as_ref() }.set(self.node.next.get());
            self.place.set(self.gate.beside);
        }
    }
}
