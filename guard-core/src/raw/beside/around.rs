//! What goes on beside a block that has a yield in it: it is listed at that yield.

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, ready};

use super::{Beside, EndedBeside, First, Node, What};
use crate::raw::in_place::Marks;
use crate::raw::slot::Yielder;

/// Lists what goes on beside the use of a context whose block has a yield in it: in a context made of contexts.
///
/// While the yield of the outer context lends, nobody polls that use. So whoever drives the outer context goes on with
/// what is beside the inner one. An error of it marks the use, which sees the mark when it is polled again.
#[repr(C)]
pub struct Around<'a> {
    node: Node,
    beside: Option<Beside>,
    marks: &'a Marks,
    /// The list of the outer context, if it is on that.
    list: Option<NonNull<First>>,
    _pinned: PhantomPinned,
}

/// Mark of a use: the future beside its block has ended the block.
pub(crate) const ENDED: u16 = 0x100;
/// Mark of a use: the future beside its block has failed, but only after the block of the outer use had ended.
pub(crate) const ENDED_AFTER_BLOCK: u16 = 0x200;

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
        has_early_error: false,
    };

    #[inline]
    pub(crate) fn new(beside: Option<Beside>, marks: &'a Marks) -> Self {
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
    unsafe fn poll(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let this = unsafe { node.cast::<Around<'_>>().as_ref() };
        let Some(beside) = this.beside else {
            return Poll::Pending;
        };
        // SAFETY: the use that has this yield in its block asked for it before the block began. Its context is not
        // polled, nor dropped, before the block has been dropped, and with the block `this`.
        let ended = ready!(unsafe { beside.poll(cx, after_block) });
        if ended.panic.is_none() {
            let mark = if after_block {
                ENDED_AFTER_BLOCK
            } else {
                ENDED
            };
            this.marks.add(mark);
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
