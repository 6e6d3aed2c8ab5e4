//! A context made of a value that exists already: for `adopt`.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::cleanup::dropped;
use crate::report::{ReportSource, drop_before};
use crate::{AsyncContext, Outcome};

/// A value whose release is the exit. It is entered from the beginning.
pub(super) struct Adopted<T, F, Fut, E> {
    state: State<T, F, Fut>,
    source: ReportSource<E>,
}

enum State<T, F, Fut> {
    Held(T, F),
    Releasing(Pin<Box<Fut>>),
    /// Released, or its release panicked.
    Done,
}

impl<T, F, Fut, E> Adopted<T, F, Fut, E> {
    pub(super) fn new(value: T, release: F, source: ReportSource<E>) -> Self {
        Self {
            state: State::Held(value, release),
            source,
        }
    }
}

// The value is lent, and the future lies in a box.
impl<T, F, Fut, E> Unpin for Adopted<T, F, Fut, E> {}

impl<T, F, Fut, E> AsyncContext for Adopted<T, F, Fut, E>
where
    F: FnOnce(T) -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    type Resource = T;
    type Error = E;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut T {
        match &mut self.get_mut().state {
            State::Held(value, _) => value,
            _ => panic!("a released value was asked for"),
        }
    }

    fn poll_exit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), E>> {
        let state = core::mem::replace(&mut self.state, State::Done);
        let mut releasing = match state {
            State::Held(value, release) => Box::pin(release(value)),
            State::Releasing(releasing) => releasing,
            State::Done => panic!("a value was released twice"),
        };
        match releasing.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => {
                let mut releasing = Some(releasing);
                let mut drop_it = || releasing = None;
                let lose = ReportSource::lose;
                Poll::Ready(Err(drop_before(error, self.source, lose, &mut drop_it)))
            }
            Poll::Pending => {
                self.state = State::Releasing(releasing);
                Poll::Pending
            }
        }
    }

    fn report_source(&self) -> ReportSource<E> {
        self.source
    }
}

impl<T, F, Fut, E> Drop for Adopted<T, F, Fut, E> {
    fn drop(&mut self) {
        if !matches!(self.state, State::Done) {
            self.state = State::Done;
            self.source.report(dropped());
        }
    }
}
