//! The future of `yield_resource!(resource, future)`. It lies in the body of its context.

use core::cell::Cell;
use core::future::Future;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};

use super::{EndedBeside, LaterPanics, Node, NodeVtable};
use crate::Outcome;
use crate::platform::panics::{Panic, catch_panic};
use crate::platform::tokio::unconstrained;
use crate::raw::slot::Yield;
use crate::report::{ReportSource, Span};

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
pub(super) struct Head<E> {
    node: Node,
    /// The context is told the error at its yield.
    pub(super) catches: bool,
    /// It failed when the block had ended.
    pub(super) is_after_block: bool,
    pub(super) error: Option<E>,
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
    const VTABLE: &'static NodeVtable = &NodeVtable {
        poll: Self::poll,
        end: Self::end,
        refuse: |_| false,
        is_own: true,
        has_early_error: true,
    };

    fn new(future: F, catches: bool) -> Self {
        Self {
            head: Head {
                node: Node {
                    vtable: Self::VTABLE,
                    next: Cell::new(None),
                },
                catches,
                is_after_block: false,
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
    unsafe fn poll(
        node: NonNull<Node>,
        cx: &mut Context<'_>,
        after_block: bool,
    ) -> Poll<EndedBeside> {
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
        let ended = match catch_panic(|| span.inside(&mut poll)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(ended)) => Ok(ended.ends()),
            Err(panic) => Err(panic),
        };
        // Its destructor may panic too.
        let dropped = catch_panic(|| span.inside(|| future.set(None)));
        match (ended, dropped) {
            (Err(panic), dropped) => {
                // The first panic goes on.
                if let Err(second) = dropped {
                    second.report_to(ReportSource::<()>::of_type::<F>());
                }
                Poll::Ready(EndedBeside { panic: Some(panic) })
            }
            (Ok(ended), Err(panic)) => {
                // The error is for a report then.
                head.is_after_block = true;
                head.error = ended.err();
                Poll::Ready(EndedBeside { panic: Some(panic) })
            }
            (Ok(Err(error)), Ok(())) => {
                head.is_after_block = after_block;
                head.error = Some(error);
                Poll::Ready(EndedBeside { panic: None })
            }
            (Ok(Ok(())), Ok(())) => Poll::Pending,
        }
    }

    /// # Safety
    ///
    /// As for [`poll`](Self::poll).
    unsafe fn end(node: NonNull<Node>, _: &mut LaterPanics<'_>) -> Result<(), Panic> {
        let going = node.as_ptr().cast::<Self>();
        // SAFETY: as in `poll`.
        let (mut future, span) =
            unsafe { (Pin::new_unchecked(&mut (*going).future), &(*going).span) };
        catch_panic(|| span.inside(|| future.set(None)))
    }
}

/// The suspension of a body at its yield, with a future that goes on beside the block meanwhile.
pub struct YieldBeside<'a, R: ?Sized, X, E, F> {
    lend: Yield<'a, R, X, E>,
    going: Going<E, F>,
    is_listed: bool,
    /// What the yield tells.
    resume: fn(Outcome<X>, Option<E>) -> Outcome<X>,
    // The slot points to `going`.
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
    pub(in crate::raw) fn new(lend: Yield<'a, R, X, E>, future: F) -> Self {
        Self::with(lend, Going::new(future, false), |outcome, _| outcome)
    }

    fn with(
        lend: Yield<'a, R, X, E>,
        going: Going<E, F>,
        resume: fn(Outcome<X>, Option<E>) -> Outcome<X>,
    ) -> Self {
        Self {
            lend,
            going,
            is_listed: false,
            resume,
            _pinned: PhantomPinned,
        }
    }
}

impl<'a, R: ?Sized, Caught, F> YieldBeside<'a, R, Caught, Caught, F>
where
    F: Future<Output: Ends<Caught>>,
{
    /// The error of the future is what the yield tells.
    pub(in crate::raw) fn catching(lend: Yield<'a, R, Caught, Caught>, future: F) -> Self {
        Self::with(lend, Going::new(future, true), |outcome, error| {
            error.map_or(outcome, Outcome::Failed)
        })
    }
}

impl<R: ?Sized, X, E, F> YieldBeside<'_, R, X, E, F> {
    fn leave_list(&mut self) {
        if self.is_listed {
            self.is_listed = false;
            let list = &self.lend.slot().beside;
            list.set(self.going.head.node.next.get());
        }
    }
}

impl<R: ?Sized, X, E, F> Future for YieldBeside<'_, R, X, E, F> {
    type Output = Outcome<X>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<X>> {
        // SAFETY: nothing is moved: `lend` is `Unpin`, the future is dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Poll::Ready(outcome) = Pin::new(&mut this.lend).poll(cx) {
            this.leave_list();
            // SAFETY: it is pinned with `self`. Usually the driver has dropped the future, where it can catch a panic.
            unsafe { Pin::new_unchecked(&mut this.going.future) }.set(None);
            let head = &mut this.going.head;
            let error = head.error.take().filter(|_| !head.is_after_block);
            return Poll::Ready((this.resume)(outcome, error));
        }
        let list = &this.lend.slot().beside;
        if !this.is_listed {
            this.is_listed = true;
            this.going.span = Span::current();
            this.going.head.node.next.set(list.get());
        }
        // It becomes the first of the list. The nodes after it are those of the inner contexts whose blocks are around this
        // yield. The pointer is made at each poll, so that it comes from the reference that was used last.
        list.set(NonNull::new(ptr::addr_of_mut!(this.going).cast()));
        Poll::Pending
    }
}

impl<R: ?Sized, X, E, F> Drop for YieldBeside<'_, R, X, E, F> {
    fn drop(&mut self) {
        self.leave_list();
    }
}
