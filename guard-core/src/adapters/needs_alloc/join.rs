//! Two contexts side by side.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::call_order::Order;
use crate::cleanup::{
    Nest, RuntimeId, WaitLimit, drop_context, poll_settle, poll_settle_before_exit,
};
use crate::context::{lose_error, lose_set_up_error};
use crate::platform::panics::{Panic, catch_panic};
use crate::raw::{Ask, BesidePtr, JoinResource, JoinResourcePlace, JoinedBeside};
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

pin_project_lite::pin_project! {
    /// Two contexts that are entered concurrently and exited concurrently: `join(…)` in
    /// [`async_with!`](crate::async_with).
    ///
    /// If one cannot be entered, the other, once entered, is exited with `Failed`. Of two errors the one
    /// that came first is returned and the other reported. Each context is exited by itself: neither an error
    /// nor a panic of one keeps the other from its clean-up. A panic goes on when both are over; an error
    /// beside it is reported. So is what one side failed with while the other is not over, if their user
    /// is cancelled then.
    #[must_use = "a context does nothing until it is entered: use `async_with!` or `.with(…)`, or `.enter().await`"]
    pub struct Join<A, B>
    where
        A: AsyncContext,
        B: AsyncContext,
    {
        #[pin]
        first: Side<A>,
        #[pin]
        second: Side<B>,
        resources: JoinResourcePlace<A::Resource, B::Resource>,
        order: Order,
        second_failed_first: bool,
        // Whether it ended with a panic of the second, which is reported in that name.
        second_panicked: bool,
        // What goes on beside the two, if something does.
        beside: Option<JoinedBeside>,
    }
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

pin_project_lite::pin_project! {
    struct Side<C>
    where
        C: AsyncContext,
    {
        // `None` when it is dropped.
        #[pin]
        context: Option<C>,
        state: State,
        // Kept until both sides are over.
        fault: Option<Fault<C::Error>>,
        // How its use ended, until its exit is told.
        outcome: Option<Outcome>,
        is_told: bool,
        // What its set-up and its exit dropped.
        nest: Nest,
    }

    impl<C> PinnedDrop for Side<C>
    where
        C: AsyncContext,
    {
        #[inline]
        fn drop(mut this: Pin<&mut Self>) {
            if this.fault.is_some() {
                this.as_mut().report_fault();
            }
            let mut this = this.project();
            drop_context(this.nest, &mut || this.context.set(None));
        }
    }
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

const IS_THERE: &str = "only the drop of a side takes its context";

impl<C: AsyncContext> Side<C> {
    fn new(context: C) -> Self {
        Self {
            context: Some(context),
            state: State::Entering,
            fault: None,
            outcome: None,
            is_told: false,
            nest: Nest::new(),
        }
    }

    fn context(&self) -> &C {
        self.context.as_ref().expect(IS_THERE)
    }

    fn context_mut(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.project().context.as_pin_mut().expect(IS_THERE)
    }

    /// Goes on entering.
    #[inline]
    fn enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        if self.state == State::Entering {
            let this = self.as_mut().project();
            let context = this.context.as_pin_mut().expect(IS_THERE);
            let entered = this.nest.during(|| catch_panic(|| context.poll_enter(cx)));
            match entered {
                Ok(Poll::Pending) => return,
                Ok(Poll::Ready(Ok(()))) => {
                    *this.state = State::Entered;
                    return;
                }
                Ok(Poll::Ready(Err(error))) => self.as_mut().settle_with(Some(Fault::Enter(error))),
                Err(panic) => self.as_mut().settle_with(Some(Fault::Panic(panic))),
            }
        }
        self.settle(cx);
    }

    /// Goes on exiting, if it was entered.
    #[inline]
    fn exit(mut self: Pin<&mut Self>, cx: &mut Context<'_>, outcome: Outcome) {
        assert!(
            self.state != State::Entering,
            "a context was exited that is not entered"
        );
        let this = self.as_mut().project();
        let mut context = this.context.as_pin_mut().expect(IS_THERE);
        let outcome = match *this.state {
            State::Entered => {
                // Later polls only carry on; what they tell is ignored.
                if !*this.is_told {
                    *this.is_told = true;
                    *this.outcome = Some(outcome);
                }
                let (context, nest) = (context.as_mut(), &mut *this.nest);
                if poll_settle_before_exit(context, nest, cx, this.outcome).is_pending() {
                    return;
                }
                *this.state = State::Exiting;
                this.outcome.take().unwrap_or(Outcome::Cancelled)
            }
            State::Exiting => Outcome::Cancelled,
            _ => return self.settle(cx),
        };
        let exited = this
            .nest
            .during(|| catch_panic(|| context.poll_exit(cx, outcome)));
        let fault = match exited {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(exited)) => exited.err().map(Fault::Exit),
            Err(panic) => Some(Fault::Panic(panic)),
        };
        self.as_mut().settle_with(fault);
        self.settle(cx);
    }

    fn settle_with(self: Pin<&mut Self>, fault: Option<Fault<C::Error>>) {
        let this = self.project();
        *this.state = State::Settling;
        *this.fault = fault;
    }

    fn settle(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let this = self.project();
        if *this.state == State::Settling {
            let context = this.context.as_pin_mut().expect(IS_THERE);
            if poll_settle(context, this.nest, cx).is_ready() {
                *this.state = State::Over;
            }
        }
    }

    /// Tells it the outcome, if it is entered.
    fn tell(mut self: Pin<&mut Self>, outcome: Outcome) {
        if self.state == State::Entered {
            let untold = self.as_mut().context_mut().tell(outcome);
            let this = self.project();
            *this.is_told = true;
            *this.outcome = untold;
        }
    }

    /// What goes on beside it, while its resource may be lent.
    #[inline]
    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        match self.state {
            State::Entered => self.context_mut().beside(ask),
            _ => None,
        }
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<C::Error> {
        match self.state {
            State::Entered => self.context_mut().failure(ask),
            _ => None,
        }
    }

    /// Whether it is not being entered any more.
    fn is_past_set_up(&self) -> bool {
        !matches!(self.state, State::Entering | State::Settling)
    }

    fn has_panicked(&self) -> bool {
        matches!(self.fault, Some(Fault::Panic(_)))
    }

    /// Ends with its fault.
    fn end(self: Pin<&mut Self>) -> Result<(), C::Error> {
        match self.project().fault.take() {
            None => Ok(()),
            Some(Fault::Enter(error) | Fault::Exit(error)) => Err(error),
            Some(Fault::Panic(panic)) => panic.resume(),
        }
    }

    /// Reports its fault, if it has one, which nobody will be told.
    #[cold]
    fn report_fault(mut self: Pin<&mut Self>) {
        let fault = self.as_mut().project().fault.take();
        match fault {
            None => {}
            Some(Fault::Enter(error)) => lose_set_up_error(self.context(), error),
            Some(Fault::Exit(error)) => lose_error(self.context(), error),
            Some(Fault::Panic(panic)) => panic.report_to(self.context().report_source()),
        }
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
        resources: JoinResourcePlace::new(),
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
    /// Goes on entering both.
    fn poll_in(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        this.first.enter(cx);
        this.second.enter(cx);
        self.as_mut().note_who_failed_first();
        if self.first.is_past_set_up() && self.second.is_past_set_up() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Exits both as far as they are entered.
    fn poll_out(mut self: Pin<&mut Self>, cx: &mut Context<'_>, outcome: Outcome) -> Poll<()> {
        // The one entered last begins, though both go on together.
        self.as_mut().project().second.exit(cx, outcome);
        self.as_mut().note_who_failed_first();
        self.as_mut().project().first.exit(cx, outcome);
        if self.first.state == State::Over && self.second.state == State::Over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn note_who_failed_first(self: Pin<&mut Self>) {
        let this = self.project();
        if this.first.fault.is_none() {
            *this.second_failed_first = this.second.fault.is_some();
        }
    }

    /// The end of both.
    #[inline]
    fn result(self: Pin<&mut Self>) -> Result<(), JoinError<A::Error, B::Error>> {
        if self.first.fault.is_none() && self.second.fault.is_none() {
            return Ok(());
        }
        self.fault()
    }

    /// The fault that the use ends with; that of the other is reported.
    #[cold]
    fn fault(self: Pin<&mut Self>) -> Result<(), JoinError<A::Error, B::Error>> {
        let this = self.project();
        let second_leads = match (this.first.has_panicked(), this.second.has_panicked()) {
            (true, false) => false,
            (false, true) => true,
            _ => *this.second_failed_first,
        };
        if second_leads {
            *this.second_panicked = this.second.has_panicked();
            this.first.report_fault();
            this.second.end().map_err(JoinError::Second)
        } else {
            this.second.report_fault();
            this.first.end().map_err(JoinError::First)
        }
    }
}

#[diagnostic::do_not_recommend]
impl<A, B> AsyncContext for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    type Resource = JoinResource<A::Resource, B::Resource>;
    type Error = JoinError<A::Error, B::Error>;

    #[inline]
    fn poll_enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.order.enter();
        ready!(self.as_mut().poll_in(cx));
        let outcome = if self.first.has_panicked() || self.second.has_panicked() {
            Outcome::Panicked
        } else if self.first.fault.is_some() || self.second.fault.is_some() {
            Outcome::Failed(())
        } else {
            self.project().order.entered();
            return Poll::Ready(Ok(()));
        };
        ready!(self.as_mut().poll_out(cx, outcome));
        self.as_mut().project().order.end();
        Poll::Ready(self.result())
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut Self::Resource {
        let this = self.project();
        this.order.lend();
        let first = this.first.context_mut().resource();
        let second = this.second.context_mut().resource();
        this.resources.lend(first, second)
    }

    #[inline]
    fn poll_exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Self::Error>> {
        self.as_mut().project().order.exit();
        ready!(self.as_mut().poll_out(cx, outcome));
        self.as_mut().project().order.end();
        Poll::Ready(self.result())
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        let this = self.project();
        this.second.tell(outcome);
        this.first.tell(outcome);
        None
    }

    #[inline]
    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        let this = self.project();
        let first = this.first.beside(ask);
        let second = this.second.beside(ask);
        if first.is_none() && second.is_none() {
            return None;
        }
        *this.beside = JoinedBeside::of(first, second);
        this.beside.as_ref().map(JoinedBeside::get)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<Self::Error> {
        let this = self.project();
        if let Some(error) = this.first.failure(ask) {
            return Some(JoinError::First(error));
        }
        this.second.failure(ask).map(JoinError::Second)
    }

    fn runtime(&self) -> RuntimeId {
        let first = self.first.context().runtime();
        first.joined(self.second.context().runtime())
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        let this = self.project();
        let first = this.first.context_mut().poll_wait(cx);
        first.joined(this.second.context_mut().poll_wait(cx))
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
