//! A use whose body is an `async` block that stands in the function around it: what `async_with!` expands to.
//!
//! The context and the block are locals of that function, pinned. The driver has references to both, and drops
//! both. What the block is lent, and how it ended, goes through a [`Link`] that both have a reference to.

use core::convert::Infallible;
use core::future::{Future, Pending, pending};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::block_end::{
    BlockEnd, BlockOutput, FAILED, FINISHED, HOLDS_USE, INTERRUPTED, RETURNED, SUCCEEDED, TOLD,
    TOLD_CANCELLED, TOLD_FAILED, TOLD_PANICKED, TOLD_TO_CATCH, WATCHED,
};
use super::driver::Ending;
use super::form::{AttemptBlock, CatchBlock, CatchEnd, FunctionBlock};
use super::{Parts, Runs, Use};
use crate::is_err::{is_err, is_ok_or_unit};
use crate::raw::{
    BesideAtYield, DroppedByUse, ENDED, ENDED_AFTER_BLOCK, EndedBeside, InPlace, Lending, Marks,
    Tie, YIELDS,
};
use crate::{AsyncContext, Outcome};

/// Drives `block`, whose `return` and `?` leave the function around it.
#[allow(
    clippy::type_complexity,
    reason = "futures of blocks are spelled out like this"
)]
#[inline]
pub fn in_function<'a, 'r, C, B, O>(
    context: Pin<&'a mut DroppedByUse<C>>,
    block: Pin<&'a mut DroppedByUse<B>>,
    link: &'a Link<'r, C::Resource, O>,
) -> Use<InBlock<'a, 'r, C, C::Resource, B, O>, (), BlockEnd<B::Output>, C::Error, FunctionBlock>
where
    C: AsyncContext,
    B: Future,
    O: Outer,
{
    Use::new(InBlock::new(context, block, link))
}

/// Drives `block`, whose `?` hands its error to the context.
#[allow(
    clippy::type_complexity,
    reason = "futures of blocks are spelled out like this"
)]
#[inline]
pub fn catching<'a, 'r, C, X, B>(
    context: Pin<&'a mut DroppedByUse<C>>,
    block: Pin<&'a mut DroppedByUse<B>>,
    link: &'a Link<'r, C::Resource>,
) -> Use<InBlock<'a, 'r, C, C::Resource, B>, X, CatchEnd, C::Error, CatchBlock>
where
    C: AsyncContext<X>,
    B: Future<Output = Result<Infallible, X>>,
{
    Use::new(InBlock::new(context, block, link))
}

/// Drives `block`, whose `?` ends it with an error that is a value for the function around it.
#[allow(
    clippy::type_complexity,
    reason = "futures of blocks are spelled out like this"
)]
#[inline]
pub fn attempting<'a, 'r, C, E, B>(
    context: Pin<&'a mut DroppedByUse<C>>,
    block: Pin<&'a mut DroppedByUse<B>>,
    link: &'a Link<'r, C::Resource>,
) -> Use<InBlock<'a, 'r, C, C::Resource, B>, (), BlockEnd<E>, C::Error, AttemptBlock>
where
    C: AsyncContext,
    B: Future<Output = Result<Infallible, E>>,
{
    Use::new(InBlock::new(context, block, link))
}

/// A link for the use of `context`, which is given back. What is lent does not outlive `tie`.
#[inline]
pub fn tied<'a, 'r, C, X>(
    context: Pin<&'a mut DroppedByUse<C>>,
    tie: &'r Tie,
) -> (Pin<&'a mut DroppedByUse<C>>, Link<'r, C::Resource>)
where
    C: AsyncContext<X>,
{
    let link = Link(Lending::new(tie, Outermost));
    (context, link)
}

/// [`tied`] for a context that is not the first of its `async_with!`. `outer` is the link of the outer use.
#[allow(
    clippy::type_complexity,
    reason = "futures of blocks are spelled out like this"
)]
#[inline]
pub fn tied_inside<'a, 'r, C, X, R: ?Sized, O>(
    context: Pin<&'a mut DroppedByUse<C>>,
    tie: &'r Tie,
    outer: &'r Link<'_, R, O>,
) -> (
    Pin<&'a mut DroppedByUse<C>>,
    Link<'r, C::Resource, Inside<'r>>,
)
where
    C: AsyncContext<X>,
{
    outer.mark(HOLDS_USE);
    let link = Link(Lending::new(tie, Inside(&outer.0.marks)));
    link.mark(outer.0.marks.get() & WATCHED);
    (context, link)
}

/// What a use knows about the outer use of the same `async_with!`.
pub trait Outer {
    /// Whether there is an outer use.
    const IS_INSIDE: bool;

    /// Whether the outer use has been interrupted, so that this use has to exit.
    fn is_interrupted(&self) -> bool;

    /// Marks the block of the outer use as finished: that block consists of this use.
    fn finish(&self);
}

/// The first context of a call. There is none before it.
pub struct Outermost;

impl Outer for Outermost {
    const IS_INSIDE: bool = false;

    #[inline]
    fn is_interrupted(&self) -> bool {
        false
    }

    fn finish(&self) {}
}

/// The marks of the outer use.
pub struct Inside<'r>(&'r Marks);

impl Outer for Inside<'_> {
    const IS_INSIDE: bool = true;

    #[inline]
    fn is_interrupted(&self) -> bool {
        self.0.get() & INTERRUPTED != 0
    }

    fn finish(&self) {
        self.0.add(FINISHED);
    }
}

/// The parts of a use whose block stands in the function around it.
pub struct InBlock<'a, 'r, C, R: ?Sized, B, O = Outermost>(InPlace<'a, 'r, C, R, B, O>);

impl<'a, 'r, C, R: ?Sized, B, O> InBlock<'a, 'r, C, R, B, O> {
    #[inline]
    fn new(
        context: Pin<&'a mut DroppedByUse<C>>,
        block: Pin<&'a mut DroppedByUse<B>>,
        link: &'a Link<'r, R, O>,
    ) -> Self {
        Self(InPlace::new(context, block, &link.0))
    }
}

// Not only where `R` is the context's resource: to find out whether a future is `Send`, rustc asks this with the
// lifetimes in `C` and `R` erased, and they would not match.
impl<C, X, R, B, O> Parts<X> for InBlock<'_, '_, C, R, B, O>
where
    C: AsyncContext<X>,
    R: ?Sized,
    O: Outer,
{
    type Context = C;

    #[inline]
    fn context(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.get_mut().0.context()
    }

    #[inline]
    fn is_watched(&mut self) -> bool {
        O::IS_INSIDE && self.0.lending().marks.get() & WATCHED != 0
    }

    #[inline]
    fn end_body(self: Pin<&mut Self>) {
        self.get_mut().0.end_block();
    }

    #[inline]
    fn end_context(self: Pin<&mut Self>) {
        self.get_mut().0.end_context();
    }
}

impl<'r, C, X, R, B, O> Runs<X> for InBlock<'_, 'r, C, R, B, O>
where
    C: AsyncContext<X, Resource = R>,
    R: ?Sized + 'r,
    B: Future,
    O: Outer,
{
    type Output = BlockOutput<B::Output>;

    #[inline]
    fn lend(self: Pin<&mut Self>) -> bool {
        let place = &mut self.get_mut().0;
        if place.lend() {
            place.lending().marks.add(WATCHED);
            return true;
        }
        O::IS_INSIDE && place.lending().marks.get() & WATCHED != 0
    }

    #[inline]
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BlockOutput<B::Output>> {
        let place = &mut self.get_mut().0;
        let polled = place.block().poll(cx);
        let output = match polled {
            Poll::Pending => {
                let marks = place.lending().marks.get();
                if marks & FINISHED == 0 {
                    return Poll::Pending;
                }
                BlockOutput {
                    output: None,
                    marks,
                }
            }
            Poll::Ready(output) => BlockOutput {
                output: Some(output),
                marks: place.lending().marks.get(),
            },
        };
        Poll::Ready(output)
    }

    fn poll_beside(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EndedBeside> {
        self.get_mut().0.poll_beside(cx)
    }

    fn interrupt(self: Pin<&mut Self>) -> bool {
        let marks = &self.get_mut().0.lending().marks;
        let set = marks.get();
        if set & (YIELDS | HOLDS_USE) == HOLDS_USE {
            marks.add(INTERRUPTED);
        }
        set & (YIELDS | HOLDS_USE) != 0
    }

    fn ending(output: &BlockOutput<B::Output>) -> Ending {
        if output.marks & ENDED != 0 {
            Ending::Beside
        } else if output.marks & ENDED_AFTER_BLOCK != 0 {
            Ending::BesideAfterBlock
        } else {
            Ending::Own
        }
    }

    fn has_failed(self: Pin<&mut Self>) -> bool {
        self.get_mut().0.lending().marks.get() & FAILED != 0
    }

    #[inline]
    fn is_interrupted(self: Pin<&mut Self>) -> bool {
        self.get_mut().0.lending().outer.is_interrupted()
    }

    fn finish_outer(self: Pin<&mut Self>) {
        self.get_mut().0.lending().outer.finish();
    }
}

/// What a block and its driver tell each other.
pub struct Link<'r, R: ?Sized, O = Outermost>(Lending<'r, R, O>);

impl<'r, R: ?Sized, O> Link<'r, R, O> {
    /// The resource, for the block.
    #[inline]
    pub fn resource(&self) -> &'r mut R {
        self.0.take()
    }

    #[inline]
    fn mark(&self, mark: u16) {
        self.0.marks.add(mark);
    }

    /// Looks at what the block leaves with, and gives it back.
    #[inline]
    pub fn leaves_with<T>(&self, value: T) -> T {
        if is_err(&value) {
            self.mark(FAILED);
        } else if is_ok_or_unit(&value) {
            self.mark(SUCCEEDED);
        }
        value
    }

    /// The block leaves by a `return` of `value`, and not by a `?`.
    #[inline]
    pub fn returns<T>(&self, value: T) -> T {
        self.mark(RETURNED);
        value
    }

    /// The block has reached its end, or leaves by a jump. It awaits this, and is not polled again.
    #[inline]
    pub fn finish(&self) -> Pending<Infallible> {
        self.mark(FINISHED);
        pending()
    }

    /// Lists what goes on beside this use for the yield that follows.
    #[inline]
    pub fn beside_at_yield(&self) -> BesideAtYield<'_> {
        self.0.beside_at_yield()
    }

    /// Notes the outcome that a yield in the block received, because the context of this use is told it too.
    #[inline]
    pub fn told<X>(&self, outcome: Outcome<X>) -> Outcome<X> {
        self.note(&outcome, TOLD_FAILED);
        outcome
    }

    /// [`told`](Self::told) in a context that catches.
    #[inline]
    pub fn told_to_catch<X>(&self, outcome: Outcome<X>) -> Outcome<X> {
        self.note(&outcome, TOLD_TO_CATCH);
        outcome
    }

    #[inline]
    fn note<X>(&self, outcome: &Outcome<X>, failed: u16) {
        let told = match outcome {
            Outcome::Completed => 0,
            Outcome::Failed(_) => failed,
            Outcome::Panicked => TOLD_PANICKED,
            Outcome::Cancelled => TOLD_CANCELLED,
        };
        let marks = self.0.marks.get();
        self.0.marks.set(marks & !TOLD | told);
    }
}
