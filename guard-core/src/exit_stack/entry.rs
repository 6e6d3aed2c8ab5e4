//! The kinds of entries of an exit stack.

use alloc::boxed::Box;
use core::any::Any;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::adopted::Adopted;
use super::unwind_state::{StackMode, UnwindState};
use crate::cleanup::{Nest, WaitLimit, dropped};
use crate::context::FailsInto;
use crate::raw::{Ask, KeptContext, LentContext};
use crate::report::ReportSource;
use crate::{AsyncContext, Outcome};

/// Where nobody drives what goes on beside an entry, and what to do.
pub(super) const NOT_DRIVEN: &str = "the use of an exit stack drives, and nobody else: enter it in \
    `async_with!(stack = exit_stack()?, { … })`, with the `?`, or in `exit_stack().with(…)`, on the stack that is lent there";

/// Something to be exited, once.
#[allow(
    private_interfaces,
    reason = "only the type of `Release` has it, and nobody can name it"
)]
pub trait StackEntry<E, M> {
    /// Ends the lending, before the exit. What goes on beside the entry is dropped, and leaves in `nest` what the exit waits
    /// for. Ready when no driver is using the entry.
    fn poll_release(&mut self, _: &mut Context<'_>, _: &mut Nest) -> Poll<()> {
        Poll::Ready(())
    }

    /// Exits it. The first poll takes the outcome from `state`. The result goes into `state`.
    fn poll_exit(&mut self, cx: &mut Context<'_>, state: &mut UnwindState<E>) -> Poll<()>;

    /// Called at each poll while the entry waits for what its set-up or its exit has left. Goes on with what of its exit has
    /// begun, and returns how long the entry waits. It is not used otherwise any more.
    fn poll_wait(&mut self, _: &mut Context<'_>) -> WaitLimit {
        WaitLimit::General
    }

    /// The name and the place of the entry, for reports.
    fn report_source(&self) -> ReportSource<E>;

    /// Takes the error out with which something beside it has failed.
    fn failure(&mut self, _: Ask) -> Option<E> {
        None
    }

    /// The entry itself, if its resource is had by a key.
    fn lent(&self) -> Option<&(dyn Any + Send)> {
        None
    }

    /// [`lent`](Self::lent), exclusively.
    fn lent_mut(&mut self) -> Option<&mut (dyn Any + Send)> {
        None
    }
}

/// An entered context. `X` is the error that it is told.
pub(super) struct ContextEntry<C, X, E>
where
    C: AsyncContext<X>,
{
    /// It is dropped with the entry, after the result of its exit has been noted.
    kept: KeptContext<C, X>,
    /// Its exit was told the outcome.
    is_told: bool,
    source: ReportSource<E>,
}

impl<C, X, E> ContextEntry<C, X, E>
where
    C: AsyncContext<X>,
{
    pub(super) fn new(kept: KeptContext<C, X>, source: ReportSource<E>) -> Self {
        Self {
            kept,
            is_told: false,
            source,
        }
    }

    fn poll_release(&mut self, cx: &mut Context<'_>, nest: &mut Nest) -> Poll<()> {
        self.kept.poll_release(cx, nest).map(|_| ())
    }

    fn report_source(&self) -> ReportSource<E> {
        match self.kept.released() {
            // A context that is made of others says which of them has failed.
            Some(context) => context.report_source().with_error(self.source.describe),
            None => self.source,
        }
    }

    fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        self.kept.failure(ask)
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        let limit = self.kept.with(|context| context.poll_wait(cx));
        limit.unwrap_or(WaitLimit::General)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outcome: impl FnOnce() -> Outcome<X>,
    ) -> Poll<Result<(), C::Error>> {
        // Later polls only continue: the exit ignores the outcome that they pass.
        let told = if mem::replace(&mut self.is_told, true) {
            Outcome::Cancelled
        } else {
            outcome()
        };
        self.kept.released_mut().poll_exit(cx, told)
    }
}

impl<C, E, M> StackEntry<E, M> for ContextEntry<C, (), E>
where
    C: FailsInto<E>,
{
    fn poll_release(&mut self, cx: &mut Context<'_>, nest: &mut Nest) -> Poll<()> {
        ContextEntry::poll_release(self, cx, nest)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>, state: &mut UnwindState<E>) -> Poll<()> {
        if let Err(error) = ready!(self.poll(cx, || state.outcome())) {
            state.failed(C::into_error(error), ContextEntry::report_source(self));
        }
        Poll::Ready(())
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        ContextEntry::poll_wait(self, cx)
    }

    fn failure(&mut self, ask: Ask) -> Option<E> {
        ContextEntry::failure(self, ask).map(C::into_error)
    }

    fn report_source(&self) -> ReportSource<E> {
        ContextEntry::report_source(self)
    }
}

/// An entered context that catches.
pub(super) struct CatchEntry<C, E>(pub(super) ContextEntry<C, E, E>)
where
    C: AsyncContext<E, Error = E>;

impl<C, E, M> StackEntry<E, M> for CatchEntry<C, E>
where
    C: AsyncContext<E, Error = E>,
    M: StackMode<E, Caught = E>,
{
    fn poll_release(&mut self, cx: &mut Context<'_>, nest: &mut Nest) -> Poll<()> {
        self.0.poll_release(cx, nest)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>, state: &mut UnwindState<E>) -> Poll<()> {
        let answer = ready!(self.0.poll(cx, || M::told(state)));
        M::answered(state, answer, self.0.report_source());
        Poll::Ready(())
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        self.0.poll_wait(cx)
    }

    fn failure(&mut self, ask: Ask) -> Option<E> {
        self.0.failure(ask)
    }

    fn report_source(&self) -> ReportSource<E> {
        self.0.report_source()
    }
}

/// A callback as an entry: the release of nothing.
#[allow(clippy::type_complexity, reason = "the closure has no name")]
pub(super) fn deferred<E, F, Fut>(
    callback: F,
    source: ReportSource<E>,
) -> ContextEntry<Adopted<(), impl FnOnce(()) -> Fut + use<E, F, Fut>, Fut, E>, (), E>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    let adopted = Adopted::new((), move |()| callback(), source);
    let lent = LentContext::alone(Box::pin(adopted));
    ContextEntry::new(lent.reclaim(), source)
}

/// A function to be called, and its future.
pub(super) struct CallEntry<E, F, Fut> {
    state: CallState<F, Fut>,
    source: ReportSource<E>,
}

enum CallState<F, Fut> {
    Waiting(F),
    Running(Pin<Box<Fut>>),
    Done,
}

impl<E, F, Fut> CallEntry<E, F, Fut> {
    pub(super) fn new(call: F, source: ReportSource<E>) -> Self {
        Self {
            state: CallState::Waiting(call),
            source,
        }
    }
}

impl<E, M, F, Fut> StackEntry<E, M> for CallEntry<E, F, Fut>
where
    M: StackMode<E>,
    F: FnOnce(Outcome<M::Caught>) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    fn poll_exit(&mut self, cx: &mut Context<'_>, state: &mut UnwindState<E>) -> Poll<()> {
        if let CallState::Waiting(_) = self.state {
            if let CallState::Waiting(call) = core::mem::replace(&mut self.state, CallState::Done) {
                self.state = CallState::Running(Box::pin(call(M::told(state))));
            }
        }
        // If it panics, it is over.
        let CallState::Running(mut running) = core::mem::replace(&mut self.state, CallState::Done)
        else {
            panic!("an entry of an exit stack was exited twice");
        };
        match running.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                // Before the future is dropped, which may panic.
                M::answered(state, answer, self.source);
                Poll::Ready(())
            }
            Poll::Pending => {
                self.state = CallState::Running(running);
                Poll::Pending
            }
        }
    }

    fn report_source(&self) -> ReportSource<E> {
        self.source
    }
}

impl<E, F, Fut> Drop for CallEntry<E, F, Fut> {
    fn drop(&mut self) {
        if !matches!(self.state, CallState::Done) {
            self.state = CallState::Done;
            self.source.report(dropped());
        }
    }
}
