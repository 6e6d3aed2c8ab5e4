//! What goes on beside joined contexts.

use alloc::boxed::Box;
use core::cell::Cell;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::{BesidePtr, EndedBeside, LaterPanics, Node, NodeVtable, end_each};
use crate::platform::panics::Panic;

/// What goes on beside two joined contexts, in a place of its own: the resource of the two is the whole of them.
pub(crate) struct JoinedBeside(NonNull<Joined>);

#[repr(C)]
struct Joined {
    node: Node,
    parts: [Option<BesidePtr>; 2],
}

// SAFETY: it points to parts of the two contexts, and is sent with them.
unsafe impl Send for JoinedBeside {}
// SAFETY: `&JoinedBeside` gives access to nothing.
unsafe impl Sync for JoinedBeside {}

impl JoinedBeside {
    const VTABLE: &'static NodeVtable = &NodeVtable {
        poll: Self::poll,
        end: Self::end,
        refuse: Self::refuse,
        is_own: false,
        has_early_error: false,
    };

    /// Joins what goes on beside either, if something does.
    pub(crate) fn of(first: Option<BesidePtr>, second: Option<BesidePtr>) -> Option<Self> {
        if first.is_none() && second.is_none() {
            return None;
        }
        let joined = Box::new(Joined {
            node: Node {
                vtable: Self::VTABLE,
                next: Cell::new(None),
            },
            parts: [first, second],
        });
        // A pointer instead of the box: to move a box claims that nothing else points into it.
        NonNull::new(Box::into_raw(joined)).map(Self)
    }

    pub(crate) fn get(&self) -> BesidePtr {
        BesidePtr(self.0.cast())
    }

    /// # Safety
    ///
    /// `node` is that of a `Joined`, whose contexts have been neither polled nor dropped since they were asked, and which
    /// nobody else uses meanwhile.
    unsafe fn poll(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it.
        let parts = unsafe { (*node.cast::<Joined>().as_ptr()).parts };
        for beside in parts.into_iter().flatten() {
            // SAFETY: as the caller says.
            if let Poll::Ready(ended) = unsafe { beside.poll(cx, after_block) } {
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn end(node: NonNull<Node>, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        // SAFETY: as in `poll`.
        let parts = unsafe { (*node.cast::<Joined>().as_ptr()).parts };
        end_each(parts.into_iter().flatten(), later, |beside, later| {
            // SAFETY: as the caller says.
            unsafe { beside.end(later) }
        })
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

impl Drop for JoinedBeside {
    fn drop(&mut self) {
        // SAFETY: it comes from a box, and the handles of it are not used any more: the joined contexts are dropped, or
        // were asked anew.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
