//! A block borrows the resource of a context, and both are locals of the function around them.

use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::beside::{ASK, BesideAtYield, BesidePtr, EndedBeside};
use super::marks::{ENDED, Marks};
use crate::AsyncContext;

/// A local of the function around a block, which what is lent to the block must not outlive.
///
/// rustc does not see that the block borrows from the context. So the block borrows from this local instead.
pub struct Tie(());

impl Tie {
    /// Generated code makes one for each use.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only generated code makes one")]
    #[inline]
    pub const fn new() -> Self {
        Self(())
    }
}

/// What the driver of a block and the block tell each other: the block finds here what it is lent, for `'r`.
pub(crate) struct Lending<'r, R: ?Sized, O> {
    resource: Cell<Option<NonNull<R>>>,
    /// What goes on beside the block. It is used only while the block may be using what it was lent.
    beside: Cell<Option<BesidePtr>>,
    /// What the block says of itself.
    pub(crate) marks: Marks,
    /// What this use knows about the outer use of the same `async_with!`.
    pub(crate) outer: O,
    /// What is lent can be written to, and ends with the tie, not before and not after.
    _lent: PhantomData<Cell<&'r mut R>>,
}

// SAFETY: it is a place to hand over a `&mut R`. What goes on beside the block is a part of the context, which is a local of
// the same function.
unsafe impl<R: ?Sized + Send, O: Send> Send for Lending<'_, R, O> {}
// SAFETY: only the driver of a block and that block have a reference to it. Both are parts of one future, so one
// thread at a time uses them. Generated code keeps it in a local whose name nothing else can write.
unsafe impl<R: ?Sized + Send, O: Sync> Sync for Lending<'_, R, O> {}

impl<'r, R: ?Sized, O> Lending<'r, R, O> {
    #[inline]
    pub(crate) fn new(_: &'r Tie, outer: O) -> Self {
        Self {
            resource: Cell::new(None),
            beside: Cell::new(None),
            marks: Marks::none(),
            outer,
            _lent: PhantomData,
        }
    }

    /// Lists what goes on beside the block for a yield in it.
    #[inline]
    pub(crate) fn beside_at_yield(&self) -> BesideAtYield<'_> {
        BesideAtYield::new(&self.beside, &self.marks)
    }

    /// What was lent. The block takes it once, where it begins.
    #[inline]
    pub(crate) fn take(&self) -> &'r mut R {
        match self.resource.take() {
            // SAFETY: `InPlace::lend` put it there, for the block that now runs. It is the resource of a
            // pinned context, which nobody else uses while that block exists. That the lifetime is longer
            // does no harm: it ends with the `Tie`, which generated code declares in the scope in which it
            // awaits the use, before that. So nothing outside of the block can hold what was lent when the
            // block is gone, but the locals of this scope. Those are the expansion's own, which does not look at
            // them before it has left the scope. And the context, one of them, cannot hold it: its `Drop`, that of
            // `DroppedByUse`, comes after the end of the `Tie`.
            Some(mut resource) => unsafe { resource.as_mut() },
            None => unreachable!("a block begins when its context has been entered"),
        }
    }
}

/// A context or a block that is a local of the function around its use. The use drops it, and the function does not: so
/// the function needs no code for a local that may have been dropped before.
///
/// Not public API. If two uses had it, it would be dropped twice; if a use is leaked, it is not dropped. Generated code
/// keeps it in a local whose name nothing else can write, and awaits its use at once.
pub struct DroppedByUse<T>(ManuallyDrop<T>);

impl<T> DroppedByUse<T> {
    /// Generated code pins one, and hands it to one use.
    #[must_use]
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

/// Does nothing, but for the borrow checker the value is dropped here: at the end of the scope, when the [`Tie`] is gone. So
/// what is lent for the lifetime of the tie cannot be stored in the context itself. If it could, a destructor in the
/// context would find references to what has been dropped before it.
impl<T> Drop for DroppedByUse<T> {
    #[inline]
    fn drop(&mut self) {}
}

/// Whether the context and the block have been dropped, and whether the block may be using the context. The driver may use the
/// context in the states that come before [`Lent`](State::Lent).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// A context and a block. Nobody uses the context.
    NotLent,
    /// A context, and no block.
    BlockDropped,
    /// A context and a block, which may be using what the context lends.
    Lent,
    /// Neither.
    Dropped,
}

/// A context and a block, pinned where they stand. It drops both, since the function around them does not.
///
/// It is packed, so that the state, which is one byte, takes no more of the future of a use. So its fields are copied, and
/// never borrowed.
#[repr(C, packed)]
pub(crate) struct InPlace<'a, 'r, C, R: ?Sized, B, O> {
    /// No reference, since that would claim that the block does not use what the context lends.
    context: NonNull<C>,
    block: NonNull<B>,
    /// No other context and no other block has it.
    lending: &'a Lending<'r, R, O>,
    state: State,
    _pinned: PhantomData<(&'a mut C, &'a mut B)>,
}

// SAFETY: it is references to a context, a block and their lending, and the block holds the resource.
unsafe impl<C: Send, R: ?Sized + Send, B: Send, O: Sync> Send for InPlace<'_, '_, C, R, B, O> {}
// SAFETY: without a `&mut` to it nothing can be reached but the marks, which are atomic.
unsafe impl<C, R: ?Sized, B, O: Sync> Sync for InPlace<'_, '_, C, R, B, O> {}

impl<C, R: ?Sized, B, O> Drop for InPlace<'_, '_, C, R, B, O> {
    #[inline]
    fn drop(&mut self) {
        if self.state != State::BlockDropped {
            self.end_block_then_context();
        }
        self.end_context();
    }
}

impl<'a, 'r, C, R: ?Sized, B, O> InPlace<'a, 'r, C, R, B, O> {
    /// `lending` is new: no other context has it.
    #[inline]
    pub(crate) fn new(
        context: Pin<&'a mut DroppedByUse<C>>,
        block: Pin<&'a mut DroppedByUse<B>>,
        lending: &'a Lending<'r, R, O>,
    ) -> Self {
        // SAFETY: neither is moved. The pointers are used as pinned references, and to drop both in their places.
        let (context, block) = unsafe { (context.get_unchecked_mut(), block.get_unchecked_mut()) };
        Self {
            context: NonNull::from(&mut *context.0),
            block: NonNull::from(&mut *block.0),
            lending,
            state: State::NotLent,
            _pinned: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn lending(&mut self) -> &'a Lending<'r, R, O> {
        self.lending
    }

    /// The context, while the block does not borrow from it.
    #[inline]
    pub(crate) fn context(&mut self) -> Pin<&mut C> {
        if self.state >= State::Lent {
            self.is_misused();
        }
        let mut context = self.context;
        // SAFETY: the pointer comes from a pinned reference that lives as long as `self`, and of which nobody else has
        // a copy. The state says that the block does not use what the context lends, and that the context has not been
        // dropped.
        unsafe { Pin::new_unchecked(context.as_mut()) }
    }

    /// Gives the block what the context lends. Whether something goes on beside the block.
    #[inline]
    pub(crate) fn lend<X>(&mut self) -> bool
    where
        C: AsyncContext<X, Resource = R>,
    {
        let beside = self.context().beside(ASK);
        let resource = NonNull::from(self.context().resource());
        self.state = State::Lent;
        self.lending.resource.set(Some(resource));
        if beside.is_some() {
            self.lending.beside.set(beside);
        }
        beside.is_some()
    }

    /// Goes on with what is beside the block.
    pub(crate) fn poll_beside(&mut self, cx: &mut Context<'_>) -> Poll<EndedBeside> {
        // In the clean-up after a yield: if something has ended the block around that, what fails now comes later.
        let is_late = self.lending.marks.get() & ENDED != 0;
        match self.lending.beside.get() {
            // SAFETY: while it is lent, nobody reaches the context: `context` panics, and `end_context` ends the block
            // before. So it has not been polled nor dropped since it was asked, in `lend`. If a `BesideAtYield` has put another
            // into its place, that is a part of the block, and the `BesideAtYield` takes it away when it is dropped.
            Some(beside) if self.state == State::Lent => unsafe { beside.poll(cx, is_late) },
            _ => Poll::Pending,
        }
    }

    /// The block, while it has what the context lends.
    #[inline]
    pub(crate) fn block(&mut self) -> Pin<&mut B> {
        if self.state != State::Lent {
            self.is_misused();
        }
        let mut block = self.block;
        // SAFETY: the pointer comes from a pinned reference that lives as long as `self`, and of which nobody else has
        // a copy. The state says that the block has not been dropped.
        unsafe { Pin::new_unchecked(block.as_mut()) }
    }

    /// Drops the block, if it is there, and with it what it was lent. If a destructor in it panics, it is gone all the same.
    #[inline]
    pub(crate) fn end_block(&mut self) {
        if let State::NotLent | State::Lent = self.state {
            // Before it is dropped, since a destructor in it may panic.
            self.state = State::BlockDropped;
            let block = self.block;
            // SAFETY: the pointer is valid, as in `block`. The state said that the block has not been dropped, and now says that
            // it has. It is dropped in its place.
            unsafe { block.drop_in_place() };
        }
    }

    /// Drops the context, if it is there, and before it the block.
    #[inline]
    pub(crate) fn end_context(&mut self) {
        if self.state != State::BlockDropped {
            self.end_block();
        }
        if self.state == State::BlockDropped {
            self.state = State::Dropped;
            let context = self.context;
            // SAFETY: as in `end_block`, and the pointer is valid, as in `context`. The block is gone, and with it what was
            // lent.
            unsafe { context.drop_in_place() };
        }
    }

    /// The same, also if a destructor in the block panics: the context is pinned, so it must not be leaked.
    #[cold]
    fn end_block_then_context(&mut self) {
        struct ThenContext<'i, 'a, 'r, C, R: ?Sized, B, O>(&'i mut InPlace<'a, 'r, C, R, B, O>);

        impl<C, R: ?Sized, B, O> Drop for ThenContext<'_, '_, '_, C, R, B, O> {
            fn drop(&mut self) {
                self.0.end_context();
            }
        }

        ThenContext(self).0.end_block();
    }

    #[cold]
    fn is_misused(&self) -> ! {
        panic!(
            "{}",
            match self.state {
                State::NotLent => "the block was not lent its resource",
                State::BlockDropped => "the block was dropped",
                State::Lent => "the block borrows the context",
                State::Dropped => "the context was dropped",
            }
        );
    }
}
