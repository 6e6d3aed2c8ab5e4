//! Two contexts side by side.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::report::{Identity, Loss, describe_type};
use crate::{AsyncContext, Outcome};

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
/// that came first is returned and the other reported. Each context is exited by itself: an error of one
/// does not keep the other from its clean-up.
pub struct Join<A, B>
where
    A: AsyncContext,
    B: AsyncContext,
{
    first: Side<A>,
    second: Side<B>,
    error: Option<JoinError<A::Error, B::Error>>,
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
    fn enter(&mut self, cx: &mut Context<'_>) -> Option<C::Error> {
        if self.state != State::Entering {
            return None;
        }
        match self.context.as_mut().poll_enter(cx) {
            Poll::Pending => None,
            Poll::Ready(Ok(())) => {
                self.state = State::Entered;
                None
            }
            Poll::Ready(Err(error)) => {
                self.state = State::Out;
                Some(error)
            }
        }
    }

    /// Goes on exiting; `Some` if that failed now.
    fn exit(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Option<C::Error> {
        if self.state != State::Entered {
            return None;
        }
        match self.context.as_mut().poll_exit(cx, outcome) {
            Poll::Pending => None,
            Poll::Ready(exited) => {
                self.state = State::Out;
                exited.err()
            }
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

    fn first_failed(&mut self, error: Option<A::Error>) {
        match (error, &self.error) {
            (None, _) => {}
            (Some(error), None) => self.error = Some(JoinError::First(error)),
            (Some(error), Some(_)) => self.first.context.report(Loss::Failed(&error)),
        }
    }

    fn second_failed(&mut self, error: Option<B::Error>) {
        match (error, &self.error) {
            (None, _) => {}
            (Some(error), None) => self.error = Some(JoinError::Second(error)),
            (Some(error), Some(_)) => self.second.context.report(Loss::Failed(&error)),
        }
    }

    /// Exits both as far as they are entered.
    fn poll_out(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Poll<()> {
        // The one entered last begins, though both go on together.
        let error = self.second.exit(cx, outcome);
        self.second_failed(error);
        let error = self.first.exit(cx, outcome);
        self.first_failed(error);
        if self.first.state == State::Out && self.second.state == State::Out {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn result(&mut self) -> Result<(), JoinError<A::Error, B::Error>> {
        self.error.take().map_or(Ok(()), Err)
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
        let error = this.first.enter(cx);
        this.first_failed(error);
        let error = this.second.enter(cx);
        this.second_failed(error);
        if this.first.state == State::Entering || this.second.state == State::Entering {
            return Poll::Pending;
        }
        if this.error.is_some() && this.poll_out(cx, Outcome::Failed(())).is_pending() {
            return Poll::Pending;
        }
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
        if this.poll_out(cx, outcome).is_pending() {
            return Poll::Pending;
        }
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
