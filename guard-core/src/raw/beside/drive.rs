//! What goes on beside a handle, in a node that the driver and the handle share, so that the handle may be moved.

use alloc::sync::Arc;
use core::cell::Cell;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::{BesidePtr, EndedBeside, LaterPanics, Node, NodeVtable};
use crate::platform::panics::Panic;

/// Something that a driver polls through a shared reference. Its owner may add to it, end it or be moved meanwhile.
pub(crate) trait Driveable {
    /// Goes on. Ready when it ends the block. An error that comes `after_block` is for a report only.
    fn poll(&self, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside>;

    /// Drops what goes on. If several panic, `later` is given all panics but the first.
    fn end(&self, later: &mut LaterPanics<'_>) -> Result<(), Panic>;

    /// Called if nothing polls it. Returns whether nothing goes on; if so, nothing can begin to go on later.
    fn refuse(&self) -> bool;
}

/// The node of something that a driver polls. It is on the heap, so it stays where it is when the handle is moved.
#[repr(C)]
pub(crate) struct DriveNode<D> {
    node: Node,
    drive: D,
}

// SAFETY: of the node only `vtable` and `next` are read, and `next` is never set: nothing lists a `DriveNode`.
unsafe impl<D: Send> Send for DriveNode<D> {}
// SAFETY: as above.
unsafe impl<D: Sync> Sync for DriveNode<D> {}

// A panic of the future that goes on is caught where the future is polled, so nobody sees it in the middle of a change.
impl<D> core::panic::UnwindSafe for DriveNode<D> {}
impl<D> core::panic::RefUnwindSafe for DriveNode<D> {}

impl<D: Driveable> DriveNode<D> {
    const VTABLE: &'static NodeVtable = &NodeVtable {
        poll: Self::poll_node,
        end: Self::end_node,
        refuse: Self::refuse_node,
        is_own: false,
        has_early_error: true,
    };

    pub(crate) fn new(drive: D) -> Arc<Self> {
        Arc::new(Self {
            node: Node {
                vtable: Self::VTABLE,
                next: Cell::new(None),
            },
            drive,
        })
    }

    /// For the driver. The context that answers with it keeps `this` as long as it is to be valid.
    pub(crate) fn beside(this: &Arc<Self>) -> BesidePtr {
        let node = Arc::as_ptr(this).cast_mut();
        // SAFETY: a pointer to what is shared is not null.
        BesidePtr(unsafe { NonNull::new_unchecked(node) }.cast())
    }

    /// # Safety
    ///
    /// `node` is that of a `DriveNode` of this type, which is there.
    unsafe fn poll_node(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
        // SAFETY: the node is the first field, with the layout of C, and the pointer was made from one to all of it. It
        // is only shared.
        unsafe { node.cast::<Self>().as_ref() }
            .drive
            .poll(cx, after_block)
    }

    /// # Safety
    ///
    /// As for [`poll_node`](Self::poll_node).
    unsafe fn end_node(node: NonNull<Node>, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        // SAFETY: as in `poll_node`.
        unsafe { node.cast::<Self>().as_ref() }.drive.end(later)
    }

    /// # Safety
    ///
    /// As for [`poll_node`](Self::poll_node).
    unsafe fn refuse_node(node: NonNull<Node>) -> bool {
        // SAFETY: as in `poll_node`.
        unsafe { node.cast::<Self>().as_ref() }.drive.refuse()
    }
}

impl<D> core::ops::Deref for DriveNode<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.drive
    }
}

impl<D: Driveable> Driveable for DriveNode<D> {
    fn poll(&self, cx: &mut Context<'_>, after_block: bool) -> Poll<EndedBeside> {
        self.drive.poll(cx, after_block)
    }

    fn end(&self, later: &mut LaterPanics<'_>) -> Result<(), Panic> {
        self.drive.end(later)
    }

    fn refuse(&self) -> bool {
        self.drive.refuse()
    }
}
