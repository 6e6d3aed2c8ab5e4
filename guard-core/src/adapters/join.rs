//! Two contexts side by side.

use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

#[cfg(feature = "std")]
use crate::cleanup::RuntimeId;
use crate::cleanup::{Nest, drop_context, poll_settle, poll_settle_before_exit};
use crate::order::Order;
use crate::platform::panics::{Panic, catch};
use crate::raw::{Ask, Beside, JoinedBeside};
use crate::report::{ReportKind, ReportSource, describe_type};
use crate::{AsyncContext, Outcome};

/// How a step of one side failed.
enum Fault<E> {
    Enter(E),
    Exit(E),
    Panic(Panic),
}

/// What one of two joined contexts failed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError<A, B> {
    /// The first context's error.
    First(A),
    /// The second context's error.
    Second(B),
}

/// Two contexts that are entered concurrently and exited concurrently: `join(…)` in
/// [`async_with!`](crate::async_with).
///
/// If one cannot be entered, the other, once entered, is exited with `Failed`. Of two errors the one
/// that came first is returned and the other reported. Each context is exited by itself: neither an error
/// nor a panic of one keeps the other from its clean-up. A panic goes on when both are over; an error
/// beside it is reported. So is what one side failed with while the other is not over, if their user
/// is cancelled then.
pub struct Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    first: Side<A>,
    second: Side<B>,
    order: Order,
    second_failed_first: bool,
    /// Whether it ended with a panic of the second, which is reported in that name.
    second_panicked: bool,
    /// What goes on beside the two, if something does.
    beside: Option<JoinedBeside>,
}

impl<A, B> fmt::Debug for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

struct Side<C>
where
    C: AsyncContext,
{
    /// `None` when it is dropped.
    context: Option<Pin<Box<C>>>,
    state: State,
    /// Kept until both sides are over.
    fault: Option<Fault<C::Error>>,
    /// How its use ended, until its exit is told.
    outcome: Option<Outcome>,
    is_told: bool,
    /// What its set-up and its exit dropped.
    nest: Nest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Entering,
    Entered,
    Exiting,
    /// Exited, or not entered: it waits for what that dropped.
    Settling,
    Over,
}

impl<C: AsyncContext> Side<C> {
    fn new(context: C) -> Self {
        Self {
            context: Some(Box::pin(context)),
            state: State::Entering,
            fault: None,
            outcome: None,
            is_told: false,
            nest: Nest::new(),
        }
    }

    fn context(&self) -> &C {
        self.context.as_ref().expect("only its end takes it")
    }

    fn context_mut(&mut self) -> Pin<&mut C> {
        let context = self.context.as_mut();
        context.expect("only its end takes it").as_mut()
    }

    /// Goes on entering.
    fn enter(&mut self, cx: &mut Context<'_>) {
        let Some(context) = &mut self.context else {
            return;
        };
        if self.state == State::Entering {
            let entered = self
                .nest
                .during(|| catch(|| context.as_mut().poll_enter(cx)));
            match entered {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(Ok(()))) => self.state = State::Entered,
                Ok(Poll::Ready(Err(error))) => self.settle_with(Some(Fault::Enter(error))),
                Err(panic) => self.settle_with(Some(Fault::Panic(panic))),
            }
        }
        self.settle(cx);
    }

    /// Goes on exiting, if it was entered.
    fn exit(&mut self, cx: &mut Context<'_>, outcome: Outcome) {
        assert!(
            self.state != State::Entering,
            "a context was exited that is not entered"
        );
        let Some(context) = &mut self.context else {
            return;
        };
        if self.state == State::Entered {
            // Later polls only carry on; what they tell is ignored.
            let outcome = match self.outcome.take() {
                Some(told) => told,
                None if self.is_told => Outcome::Cancelled,
                None => outcome,
            };
            self.is_told = true;
            self.outcome = Some(outcome);
            let (nest, outcome) = (&mut self.nest, &mut self.outcome);
            if poll_settle_before_exit(context.as_mut(), nest, cx, outcome).is_ready() {
                self.state = State::Exiting;
            }
        }
        if self.state == State::Exiting {
            let outcome = self.outcome.take().unwrap_or(Outcome::Cancelled);
            let exited = self
                .nest
                .during(|| catch(|| context.as_mut().poll_exit(cx, outcome)));
            match exited {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(exited)) => self.settle_with(exited.err().map(Fault::Exit)),
                Err(panic) => self.settle_with(Some(Fault::Panic(panic))),
            }
        }
        self.settle(cx);
    }

    fn settle_with(&mut self, fault: Option<Fault<C::Error>>) {
        self.state = State::Settling;
        self.fault = fault;
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        if let (State::Settling, Some(context)) = (self.state, &mut self.context) {
            if poll_settle(context.as_mut(), &mut self.nest, cx).is_ready() {
                self.state = State::Over;
            }
        }
    }

    /// Tells it the outcome, if it is entered.
    fn tell(&mut self, outcome: Outcome) {
        if self.state == State::Entered {
            self.is_told = true;
            self.outcome = self.context_mut().tell(outcome);
        }
    }

    /// What goes on beside it, while its resource may be lent.
    fn beside(&mut self, ask: Ask) -> Option<Beside> {
        match self.state {
            State::Entered => self.context_mut().beside(ask),
            _ => None,
        }
    }

    fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        match self.state {
            State::Entered => self.context_mut().failure(ask),
            _ => None,
        }
    }

    /// Whether it is not being entered any more.
    fn has_entered(&self) -> bool {
        !matches!(self.state, State::Entering | State::Settling)
    }

    fn has_panicked(&self) -> bool {
        matches!(self.fault, Some(Fault::Panic(_)))
    }

    /// Ends with its fault.
    fn end(&mut self) -> Result<(), C::Error> {
        match self.fault.take() {
            None => Ok(()),
            Some(Fault::Enter(error) | Fault::Exit(error)) => Err(error),
            Some(Fault::Panic(panic)) => panic.resume(),
        }
    }

    /// Reports its fault, which nobody will be told.
    fn report_fault(&mut self) {
        match self.fault.take() {
            None => {}
            Some(Fault::Enter(error)) => self.context().report(ReportKind::SetUpFailed(&error)),
            Some(Fault::Exit(error)) => self.context().report(ReportKind::Failed(&error)),
            Some(Fault::Panic(panic)) => panic.report_to(self.context().report_source()),
        }
    }
}

impl<C: AsyncContext> Drop for Side<C> {
    fn drop(&mut self) {
        self.report_fault();
        drop_context(&mut self.nest, || self.context = None);
    }
}

/// Joins two contexts.
pub fn join<A, B>(first: A, second: B) -> Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    Join {
        first: Side::new(first),
        second: Side::new(second),
        order: Order::Start,
        second_failed_first: false,
        second_panicked: false,
        beside: None,
    }
}

impl<A, B> Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    /// The two resources.
    pub fn lend(&mut self) -> (&mut A::Resource, &mut B::Resource) {
        (
            self.first.context_mut().resource(),
            self.second.context_mut().resource(),
        )
    }

    /// Goes on entering both.
    fn poll_in(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.first.enter(cx);
        self.second.enter(cx);
        self.note_who_failed_first();
        if self.first.has_entered() && self.second.has_entered() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Exits both as far as they are entered.
    fn poll_out(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Poll<()> {
        // The one entered last begins, though both go on together.
        self.second.exit(cx, outcome);
        self.note_who_failed_first();
        self.first.exit(cx, outcome);
        if self.first.state == State::Over && self.second.state == State::Over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn note_who_failed_first(&mut self) {
        if self.first.fault.is_none() {
            self.second_failed_first = self.second.fault.is_some();
        }
    }

    /// The end of both.
    fn result(&mut self) -> Result<(), JoinError<A::Error, B::Error>> {
        let second_leads = match (self.first.has_panicked(), self.second.has_panicked()) {
            (true, false) => false,
            (false, true) => true,
            _ => self.second_failed_first,
        };
        if second_leads {
            self.second_panicked = self.second.has_panicked();
            self.first.report_fault();
            self.second.end().map_err(JoinError::Second)
        } else {
            self.second.report_fault();
            self.first.end().map_err(JoinError::First)
        }
    }
}

impl<A, B> Unpin for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
}

#[diagnostic::do_not_recommend]
impl<A, B> AsyncContext for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    type Resource = Self;
    type Error = JoinError<A::Error, B::Error>;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        this.order.enter();
        ready!(this.poll_in(cx));
        let outcome = if this.first.has_panicked() || this.second.has_panicked() {
            Outcome::Panicked
        } else if this.first.fault.is_some() || this.second.fault.is_some() {
            Outcome::Failed(())
        } else {
            this.order.entered();
            return Poll::Ready(Ok(()));
        };
        ready!(this.poll_out(cx, outcome));
        this.order.end();
        Poll::Ready(this.result())
    }

    fn resource(self: Pin<&mut Self>) -> &mut Self {
        self.order.lend();
        self.get_mut()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        this.order.exit();
        ready!(this.poll_out(cx, outcome));
        this.order.end();
        Poll::Ready(this.result())
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        let this = self.get_mut();
        this.second.tell(outcome);
        this.first.tell(outcome);
        None
    }

    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<Beside> {
        let this = self.get_mut();
        let first = this.first.beside(ask);
        let second = this.second.beside(ask);
        this.beside = JoinedBeside::of(first, second);
        this.beside.as_ref().map(JoinedBeside::get)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<Self::Error> {
        let this = self.get_mut();
        if let Some(error) = this.first.failure(ask) {
            return Some(JoinError::First(error));
        }
        this.second.failure(ask).map(JoinError::Second)
    }

    #[cfg(feature = "std")]
    fn runtime(&self) -> RuntimeId {
        let first = self.first.context().runtime();
        first.joined(self.second.context().runtime())
    }

    fn report_source(&self) -> ReportSource<Self::Error> {
        if self.second_panicked {
            self.second
                .context()
                .report_source()
                .with_error(describe_type)
        } else {
            self.first
                .context()
                .report_source()
                .with_error(describe_type)
        }
    }

    fn report(&self, kind: ReportKind<'_, Self::Error>) {
        match kind.error() {
            Some(JoinError::First(error)) => self.first.context().report(kind.with_error(error)),
            Some(JoinError::Second(error)) => self.second.context().report(kind.with_error(error)),
            None => self.report_source().report(kind),
        }
    }
}
