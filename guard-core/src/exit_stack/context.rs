//! An exit stack as a context.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::{fmt, mem};

use super::errors::ExitErrors;
use super::owned::{AsyncExitStack, OwnedBeside, StackError};
use super::scoped::ScopedExitStack;
use super::unwind_state::{Catching, Plain, StackMode, UnwindState};
use crate::call_order::Order;
use crate::cleanup::{RuntimeId, WaitLimit};
use crate::context::lose_error;
use crate::raw::{Ask, BesidePtr, Driveable};
use crate::report::{ReportKind, ReportSource, describe_debug};
use crate::using::beside_list::DriverSide;
use crate::{AsyncContext, Outcome};

/// The entries whose errors the use of a stack fails with. The errors are reported in their names.
struct FailureSources<E> {
    /// The entry beside which something has failed, and so ended the block.
    beside: Option<ReportSource<E>>,
    /// The entries whose errors or panic the exit ended with.
    in_exit: Vec<ReportSource<E>>,
}

impl<E> FailureSources<E> {
    const fn none() -> Self {
        Self {
            beside: None,
            in_exit: Vec::new(),
        }
    }

    /// Where the exit notes the entries that it fails with. `None` if something beside an entry has ended the block, and then
    /// the exit has panicked: the panic goes on, and only the error of that entry is reported.
    #[inline]
    fn by_exit(&mut self, state: &UnwindState<E>) -> Option<&mut Vec<ReportSource<E>>> {
        let is_resumed = self.beside.is_some() && state.has_panicked();
        (!is_resumed).then_some(&mut self.in_exit)
    }

    /// The first of them, or else the stack.
    fn first(&self, stack: ReportSource<E>) -> ReportSource<E> {
        self.get(0, stack)
    }

    fn get(&self, index: usize, stack: ReportSource<E>) -> ReportSource<E> {
        let in_exit = self.in_exit.get(index).copied();
        in_exit.or(self.beside).unwrap_or(stack)
    }
}

/// Lends an empty [`AsyncExitStack`], and closes it in the end.
///
/// The errors of entries convert into `E`, which is also the context's error. Its type is written, `exit_stack::<Error>()`, since
/// a `?` does not tell it. For errors of any kind it is `Box<dyn Error + Send + Sync>`. Of several errors, the first is
/// returned and the others are [reported](crate::set_reporter); with
/// [`all_errors`](ExitStackContext::all_errors) it returns them all. In [`async_with!`](crate::async_with) the `?` after it
/// may be left out; then every error is reported.
///
/// What goes on [beside](crate::yield_resource#beside-the-block) an entry is driven while the stack is used. If it fails,
/// the block is dropped, the entries are told [`Cancelled`](Outcome::Cancelled), and the use fails with that error. The stack of
/// a use without the `?` has no error, and takes no such entries.
///
/// Python: `async with AsyncExitStack() as stack`.
#[track_caller]
pub fn exit_stack<E>() -> ExitStackContext<E>
where
    E: StackError,
{
    ExitStackContext::of(AsyncExitStack::new(), AsyncExitStack::of)
}

/// [`exit_stack`] for entries that borrow, or are not `Send`: see [`ScopedExitStack`].
#[track_caller]
pub fn scoped_exit_stack<'a, E>() -> ScopedExitStackContext<'a, E>
where
    E: fmt::Debug + 'a,
{
    ScopedExitStackContext {
        stack: ScopedExitStack::new(),
        beside_list: DriverSide::new(),
        sources: FailureSources::none(),
        is_told: false,
        order: Order::Start,
    }
}

/// The context of [`exit_stack`].
#[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`"]
pub struct ExitStackContext<E, M = Plain>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    stack: AsyncExitStack<E, M>,
    beside_list: DriverSide<OwnedBeside>,
    sources: FailureSources<E>,
    /// The outcome has been told.
    is_told: bool,
    order: Order,
    catching: MakeCatching<E>,
}

/// Makes a stack that catches, of errors that can be sent. Only `exit_stack` asks for that: see `AsyncExitStack::hand_off`.
type MakeCatching<E> = fn(ReportSource<E>) -> AsyncExitStack<E, Catching>;

impl<E, M> ExitStackContext<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn of(stack: AsyncExitStack<E, M>, catching: MakeCatching<E>) -> Self {
        Self {
            stack,
            beside_list: DriverSide::new(),
            sources: FailureSources::none(),
            is_told: false,
            order: Order::Start,
            catching,
        }
    }

    /// The whole set-up: an empty stack has nothing to wait for.
    fn begin_use(&mut self) {
        self.order.enter();
        self.order.entered();
        self.stack.entered();
    }

    /// Tells the stack how its use ended, unless it has been told.
    fn end_use(&mut self, outcome: Outcome<M::Caught>) {
        if !mem::replace(&mut self.is_told, true) {
            self.stack.end_of_use(outcome);
        }
    }

    /// Closes the stack. The caller finishes the state that this returns, which fills `sources`.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Outcome<M::Caught>,
    ) -> Poll<UnwindState<E>> {
        self.order.exit();
        self.end_use(outcome);
        let state = ready!(self.stack.poll_close(cx, &mut None));
        self.order.end();
        Poll::Ready(state)
    }
}

impl<E> ExitStackContext<E>
where
    E: 'static,
{
    /// The same stack, given the error with which its use failed: entries can swallow or replace it. To
    /// be used with [`catch`](AsyncContext::catch).
    #[track_caller]
    pub fn catching(self) -> ExitStackContext<E, Catching> {
        let describe = self.stack.report_source().describe;
        let source = ReportSource::here::<AsyncExitStack<E, Catching>>(describe);
        ExitStackContext::of((self.catching)(source), self.catching)
    }

    /// The same stack, whose error is all errors of its entries, in order.
    ///
    /// [`try_with`](AsyncContext::try_with) then returns the error of the body beside them.
    pub fn all_errors(self) -> AllErrors<E> {
        AllErrors(self)
    }

    /// The same stack, whose errors are reported instead of returned.
    pub(crate) fn reporting(self) -> ReportingStack<E> {
        ReportingStack(self)
    }
}

#[diagnostic::do_not_recommend]
impl<E, M> AsyncContext<M::Caught> for ExitStackContext<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    type Resource = AsyncExitStack<E, M>;
    type Error = E;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.get_mut().begin_use();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut AsyncExitStack<E, M> {
        self.order.lend();
        &mut self.get_mut().stack
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<M::Caught>,
    ) -> Poll<Result<(), E>> {
        let this = self.get_mut();
        let state = ready!(this.poll_close(cx, outcome));
        let sources = this.sources.by_exit(&state);
        Poll::Ready(state.finish_primary(sources))
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome<M::Caught>) -> Option<Outcome<M::Caught>> {
        self.get_mut().end_use(outcome);
        None
    }

    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let Self {
            stack, beside_list, ..
        } = self.get_mut();
        Some(beside_list.beside(stack, |stack| &mut stack.beside_list))
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let Self { stack, sources, .. } = self.get_mut();
        let (error, source) = stack.failure(ask)?;
        sources.beside = Some(source);
        Some(error)
    }

    fn runtime(&self) -> RuntimeId {
        self.stack.runtime()
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        self.get_mut().stack.poll_wait(cx)
    }

    fn report_source(&self) -> ReportSource<E> {
        self.sources.first(self.stack.report_source())
    }
}

/// The context of [`scoped_exit_stack`].
#[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`"]
pub struct ScopedExitStackContext<'a, E> {
    stack: ScopedExitStack<'a, E>,
    beside_list: DriverSide<dyn Driveable + 'a>,
    sources: FailureSources<E>,
    /// The outcome has been told.
    is_told: bool,
    order: Order,
}

#[diagnostic::do_not_recommend]
impl<'a, E: 'a> AsyncContext for ScopedExitStackContext<'a, E> {
    type Resource = ScopedExitStack<'a, E>;
    type Error = E;

    fn poll_enter(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.order.enter();
        self.order.entered();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut ScopedExitStack<'a, E> {
        self.order.lend();
        &mut self.get_mut().stack
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), E>> {
        let Self {
            stack,
            sources,
            is_told,
            order,
            ..
        } = self.get_mut();
        order.exit();
        if !mem::replace(is_told, true) {
            stack.end_of_use(outcome);
        }
        let state = ready!(stack.poll_close(cx, &mut None));
        order.end();
        let sources = sources.by_exit(&state);
        Poll::Ready(state.finish_primary(sources))
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        let this = self.get_mut();
        if !mem::replace(&mut this.is_told, true) {
            this.stack.end_of_use(outcome);
        }
        None
    }

    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let Self {
            stack, beside_list, ..
        } = self.get_mut();
        Some(beside_list.beside(stack, |stack| &mut stack.beside_list))
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        let Self { stack, sources, .. } = self.get_mut();
        let (error, source) = stack.failure(ask)?;
        sources.beside = Some(source);
        Some(error)
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        self.get_mut().stack.poll_wait(cx)
    }

    fn report_source(&self) -> ReportSource<E> {
        self.sources.first(self.stack.report_source())
    }
}

/// [`exit_stack`] whose error is [all errors](ExitStackContext::all_errors).
#[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`"]
pub struct AllErrors<E: 'static>(ExitStackContext<E>);

#[diagnostic::do_not_recommend]
impl<E: fmt::Debug + 'static> AsyncContext for AllErrors<E> {
    type Resource = AsyncExitStack<E>;
    type Error = ExitErrors<E>;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ExitErrors<E>>> {
        self.get_mut().0.begin_use();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut AsyncExitStack<E> {
        Pin::new(&mut self.get_mut().0).resource()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), ExitErrors<E>>> {
        let context = &mut self.get_mut().0;
        let state = ready!(context.poll_close(cx, outcome));
        let sources = context.sources.by_exit(&state);
        Poll::Ready(state.finish(sources))
    }

    fn tell(mut self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        Pin::new(&mut self.0).tell(outcome)
    }

    fn beside(mut self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        Pin::new(&mut self.0).beside(ask)
    }

    fn failure(mut self: Pin<&mut Self>, ask: Ask) -> Option<ExitErrors<E>> {
        let error = Pin::new(&mut self.0).failure(ask)?;
        ExitErrors::new([error].into())
    }

    fn runtime(&self) -> RuntimeId {
        self.0.runtime()
    }

    fn poll_wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        Pin::new(&mut self.0).poll_wait(cx)
    }

    fn report_source(&self) -> ReportSource<ExitErrors<E>> {
        self.0.report_source().with_error(describe_debug)
    }

    fn report(&self, kind: ReportKind<'_, ExitErrors<E>>) {
        match kind.error() {
            Some(errors) => {
                for (index, error) in errors.iter().enumerate() {
                    let source = self.0.sources.get(index, self.0.stack.report_source());
                    source.report(kind.with_error(error));
                }
            }
            None => self.report_source().report(kind),
        }
    }
}

/// [`exit_stack`] without a `?` after it.
pub struct ReportingStack<E: 'static>(ExitStackContext<E>);

#[diagnostic::do_not_recommend]
impl<E: 'static> AsyncContext for ReportingStack<E> {
    type Resource = AsyncExitStack<E>;
    type Error = Infallible;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.get_mut().0.begin_use();
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut AsyncExitStack<E> {
        Pin::new(&mut self.get_mut().0).resource()
    }

    fn poll_exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Infallible>> {
        if let Err(error) = ready!(Pin::new(&mut self.0).poll_exit(cx, outcome)) {
            lose_error(&self.0, error);
        }
        Poll::Ready(Ok(()))
    }

    fn tell(mut self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        Pin::new(&mut self.0).tell(outcome)
    }

    fn runtime(&self) -> RuntimeId {
        self.0.runtime()
    }

    fn poll_wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        Pin::new(&mut self.0).poll_wait(cx)
    }
}
