//! Two contexts side by side.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::panics::{Panic, catch};
use crate::report::{Identity, Loss, describe_type};
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
/// nor a panic of one keeps the other from its clean-up. A panic goes on when both are over.
pub struct Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    first: Side<A>,
    second: Side<B>,
    error: Option<JoinError<A::Error, B::Error>>,
    panic: Option<Panic>,
}

struct Side<C> {
    context: Pin<Box<C>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Entering,
    Entered,
    /// Exited, or never entered.
    Out,
}

impl<C: AsyncContext> Side<C> {
    /// Goes on entering; `Some` if that failed now.
    fn enter(&mut self, cx: &mut Context<'_>) -> Option<Fault<C::Error>> {
        if self.state != State::Entering {
            return None;
        }
        let fault = match catch(|| self.context.as_mut().poll_enter(cx)) {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(Ok(()))) => {
                self.state = State::Entered;
                return None;
            }
            Ok(Poll::Ready(Err(error))) => Fault::Enter(error),
            Err(panic) => Fault::Panic(panic),
        };
        self.state = State::Out;
        Some(fault)
    }

    /// Goes on exiting; `Some` if that failed now.
    fn exit(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Option<Fault<C::Error>> {
        if self.state != State::Entered {
            return None;
        }
        let fault = match catch(|| self.context.as_mut().poll_exit(cx, outcome)) {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(exited)) => exited.err().map(Fault::Exit),
            Err(panic) => Some(Fault::Panic(panic)),
        };
        self.state = State::Out;
        fault
    }

    /// Keeps a fault for the end, or reports it if there is one already.
    fn failed<E>(
        &self,
        fault: Option<Fault<C::Error>>,
        first_error: &mut Option<E>,
        first_panic: &mut Option<Panic>,
        into: fn(C::Error) -> E,
    ) {
        match fault {
            None => {}
            Some(Fault::Enter(error) | Fault::Exit(error)) if first_error.is_none() => {
                *first_error = Some(into(error));
            }
            Some(Fault::Enter(error)) => self.context.report(Loss::SetUpFailed(&error)),
            Some(Fault::Exit(error)) => self.context.report(Loss::Failed(&error)),
            Some(Fault::Panic(panic)) if first_panic.is_none() => *first_panic = Some(panic),
            Some(Fault::Panic(panic)) => panic.report_to(self.context.identity()),
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
        first: Side {
            context: Box::pin(first),
            state: State::Entering,
        },
        second: Side {
            context: Box::pin(second),
            state: State::Entering,
        },
        error: None,
        panic: None,
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
            self.first.context.as_mut().resource(),
            self.second.context.as_mut().resource(),
        )
    }

    /// Goes on entering both.
    fn poll_in(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self {
            first,
            second,
            error,
            panic,
        } = self;
        let fault = first.enter(cx);
        first.failed(fault, error, panic, JoinError::First);
        let fault = second.enter(cx);
        second.failed(fault, error, panic, JoinError::Second);
        if first.state == State::Entering || second.state == State::Entering {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Exits both as far as they are entered.
    fn poll_out(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Poll<()> {
        let Self {
            first,
            second,
            error,
            panic,
        } = self;
        // The one entered last begins, though both go on together.
        let fault = second.exit(cx, outcome);
        second.failed(fault, error, panic, JoinError::Second);
        let fault = first.exit(cx, outcome);
        first.failed(fault, error, panic, JoinError::First);
        if first.state == State::Out && second.state == State::Out {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The end of both: a panic goes on, and then an error is reported.
    fn result(&mut self) -> Result<(), JoinError<A::Error, B::Error>> {
        let error = self.error.take();
        if let Some(panic) = self.panic.take() {
            if let Some(error) = error {
                self.report(Loss::Failed(&error));
            }
            panic.resume();
        }
        error.map_or(Ok(()), Err)
    }
}

impl<A, B> Unpin for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
}

impl<A, B> AsyncContext for Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    type Resource = Self;
    type Error = JoinError<A::Error, B::Error>;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_in(cx));
        let outcome = match (&this.panic, &this.error) {
            (None, None) => return Poll::Ready(Ok(())),
            (None, Some(_)) => Outcome::Failed(()),
            (Some(_), _) => Outcome::Panicked,
        };
        ready!(this.poll_out(cx, outcome));
        Poll::Ready(this.result())
    }

    fn resource(self: Pin<&mut Self>) -> &mut Self {
        self.get_mut()
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), Self::Error>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx, outcome));
        Poll::Ready(this.result())
    }

    fn identity(&self) -> Identity<Self::Error> {
        self.first.context.identity().with_error(describe_type)
    }

    fn report(&self, loss: Loss<'_, Self::Error>) {
        match loss.error() {
            Some(JoinError::First(error)) => self.first.context.report(loss.with_error(error)),
            Some(JoinError::Second(error)) => self.second.context.report(loss.with_error(error)),
            None => self.identity().report(loss),
        }
    }
}
