//! A body that something else ends: the future beside it, or the outer use of the same `async_with!`.

use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::reporting::{report_beside, report_ended};
use super::{BodyEnd, Ending, Runs, Stage, Use};
use crate::cleanup::{Nest, drop_context};
use crate::context::{failure_of, lose_error, report_failures};
use crate::platform::panics::{Panic, catch_panic_rarely};
use crate::raw::{ASK, ASK_FOR_FIRST, ASK_FOR_LATE, end_beside, poll_beside};
use crate::report::ReportSource;
use crate::using::form::{Form, Kept};
use crate::{AsyncContext, Outcome};

impl<P, X, E, F> Use<P, X, F::Kept, E, F>
where
    P: Runs<X>,
    P::Context: AsyncContext<X, Error = E>,
    F: Form<P::Context, X, P::Output>,
{
    /// Checks whether the outer use ends this one. Returns the result of [`run`](Self::run) if the body must not be polled
    /// any more.
    #[cold]
    pub(super) fn look_outside(mut self: Pin<&mut Self>) -> Option<Poll<Option<Outcome<X>>>> {
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        if !parts.as_mut().is_interrupted() {
            return None;
        }
        match **stage {
            Stage::Enter | Stage::EnterWatched => {
                // The same as when a use is dropped while it enters.
                drop_context(this.nest, &mut || parts.as_mut().end_context());
                stage.set(Stage::OverWithNest);
                parts.finish_outer();
                Some(Poll::Pending)
            }
            Stage::Interrupted(_) => None,
            _ if parts.interrupt() => {
                stage.set(Stage::Interrupted(BodyEnd::Outer));
                None
            }
            _ => Some(self.end_body_early(BodyEnd::Outer)),
        }
    }

    /// Polls what is beside the body. Returns what [`run`](Self::run) returns.
    #[cold]
    pub(super) fn go_on_beside(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let (mut parts, stage) = (this.parts, this.stage);
        // `run` has just polled the body: it had not ended.
        let mut polled = Poll::Pending;
        let nest = this.nest;
        nest.during_rarely(&mut || polled = parts.as_mut().poll_beside(cx));
        let ended = ready!(polled);
        let ended = match ended.panic {
            Some(panic) => BodyEnd::panicked(panic),
            None => BodyEnd::Beside(None),
        };
        if !parts.interrupt() {
            return self.end_body_early(ended);
        }
        stage.set(Stage::Interrupted(ended));
        // Polls again, so that the inner use sees the mark.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A body has ended that had something beside it, or that was interrupted. Returns what [`run`](Self::run) returns.
    #[cold]
    pub(super) fn end_of_body(
        mut self: Pin<&mut Self>,
        output: P::Output,
    ) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let (parts, stage) = (this.parts, this.stage);
        if let Stage::Interrupted(ended) = mem::replace(&mut **stage, Stage::Beside) {
            lose::<F, P::Context, _, _>(parts.context().report_source(), output);
            return self.conclude(ended);
        }
        match P::ending(&output) {
            Ending::Own => {}
            Ending::Beside => {
                lose::<F, P::Context, _, _>(parts.context().report_source(), output);
                return self.conclude(BodyEnd::Beside(None));
            }
            Ending::BesideAfterBlock => report_failures(parts.context(), ASK),
        }
        let (outcome, kept) = F::split(output);
        self.begin_exit(outcome, BodyEnd::Kept(kept))
    }

    /// Drops a body that was ended from outside of it.
    pub(super) fn end_body_early(
        mut self: Pin<&mut Self>,
        ended: BodyEnd<F::Kept, E>,
    ) -> Poll<Option<Outcome<X>>> {
        let this = self.as_mut().project();
        let mut parts = this.parts;
        let mut dropped = Ok(());
        this.nest.during_rarely(&mut || {
            dropped = catch_panic_rarely(&mut || parts.as_mut().end_body());
        });
        let ended = match (ended, dropped) {
            (ended, Ok(())) => ended,
            (BodyEnd::Panicked(first), Err(second)) => {
                second.report_body_to(self.as_mut().project().parts.context().report_source());
                BodyEnd::Panicked(first)
            }
            (_, Err(panic)) => BodyEnd::panicked(panic),
        };
        self.conclude(ended)
    }

    /// Begins the exit of a use whose body is gone and did not end by itself.
    pub(super) fn conclude(
        mut self: Pin<&mut Self>,
        ended: BodyEnd<F::Kept, E>,
    ) -> Poll<Option<Outcome<X>>> {
        let mut context = self.as_mut().project().parts.context();
        let ended = match ended {
            BodyEnd::Beside(_) => {
                report_failures(context.as_mut(), ASK_FOR_LATE);
                match failure_of(context, ASK_FOR_FIRST) {
                    Ok(error) => BodyEnd::Beside(error),
                    Err(panic) => BodyEnd::panicked(panic),
                }
            }
            ended => {
                report_failures(context, ASK);
                ended
            }
        };
        let outcome = match ended {
            BodyEnd::Panicked(_) => Outcome::Panicked,
            _ => Outcome::Cancelled,
        };
        self.begin_exit(outcome, ended)
    }

    /// Begins the exit, or the wait for the nest before it. Drops what is beside if the exit begins now. Returns what
    /// [`run`](Self::run) returns.
    pub(super) fn begin_exit(
        self: Pin<&mut Self>,
        mut outcome: Outcome<X>,
        mut ended: BodyEnd<F::Kept, E>,
    ) -> Poll<Option<Outcome<X>>> {
        let this = self.project();
        let (mut parts, stage, nest) = (this.parts, this.stage, this.nest);
        if nest.is_empty() {
            let mut context = parts.as_mut().context();
            if let Err(panic) = end_beside_in(nest, context.as_mut()) {
                let source = context.report_source();
                if let BodyEnd::Panicked(_) = ended {
                    panic.report_to(source);
                } else {
                    let untold = match outcome {
                        Outcome::Failed(error) => Some(error),
                        _ => None,
                    };
                    let lost = report_beside(&*context, ended);
                    report_ended(source, lost, untold);
                    ended = BodyEnd::panicked(panic);
                    outcome = Outcome::Panicked;
                }
            }
        }
        if nest.is_empty() {
            stage.set(Stage::Exit(ended));
            return Poll::Ready(Some(outcome));
        }
        stage.set(Stage::Before(Some(outcome), ended));
        Poll::Ready(None)
    }

    /// The result of a use whose body was ended by the future beside it.
    #[cold]
    pub(super) fn end_beside(
        self: Pin<&mut Self>,
        error: Option<E>,
        exited: Result<(), E>,
    ) -> F::Output {
        let mut parts = self.project().parts;
        let context = parts.as_mut().context();
        let (error, mut exit) = match (error, exited) {
            (Some(error), exited) => (error, exited.err()),
            (None, Err(error)) => (error, None),
            (None, Ok(())) => {
                let Some(swallowed) = F::swallowed() else {
                    panic!(
                        "what goes on beside the block of a context inside `{}` has ended the block, and that was \
                         swallowed: so there is no value to go on with",
                        context.report_source().path(),
                    );
                };
                return swallowed;
            }
        };
        let source = context.report_source();
        if !F::KEEPS_BOTH {
            if let Some(error) = exit.take() {
                lose_error(&*context, error);
            }
        }
        // As in `end_context`.
        if let Err(panic) = catch_panic_rarely(&mut || parts.as_mut().end_context()) {
            source.lose(error);
            if let Some(error) = exit {
                source.lose(error);
            }
            panic.resume();
        }
        F::beside_failed(error, exit)
    }

    /// Ends a use that the outer use has interrupted. The outer use then returns its own error.
    #[cold]
    pub(super) fn end_outer(self: Pin<&mut Self>, exited: Result<(), E>) {
        let mut parts = self.project().parts;
        if let Err(error) = exited {
            lose_error(&*parts.as_mut().context(), error);
        }
        parts.finish_outer();
    }
}

/// Goes on with what is beside a body that has ended, while its use waits.
#[cold]
pub(super) fn poll_after_block<C, X>(
    mut context: Pin<&mut C>,
    nest: &mut Nest,
    cx: &mut Context<'_>,
) where
    C: AsyncContext<X>,
{
    loop {
        let mut polled = Poll::Pending;
        nest.during_rarely(&mut || polled = poll_beside(context.as_mut(), cx, true));
        let Poll::Ready(ended) = polled else {
            return;
        };
        if let Some(panic) = ended.panic {
            panic.report_to(context.report_source());
        }
        report_failures(context.as_mut(), ASK_FOR_LATE);
    }
}

/// Drops what is beside a body that has ended.
pub(super) fn end_beside_in<C, X>(nest: &mut Nest, mut context: Pin<&mut C>) -> Result<(), Panic>
where
    C: AsyncContext<X>,
{
    let mut ended = Ok(());
    nest.during_rarely(&mut || ended = end_beside(context.as_mut()));
    ended
}

/// Reports the result of a body that something else had ended before.
#[cold]
fn lose<F, C, X, O>(source: ReportSource<C::Error>, output: O)
where
    C: AsyncContext<X>,
    F: Form<C, X, O>,
{
    let (outcome, kept) = F::split(output);
    let untold = match outcome {
        Outcome::Failed(error) => Some(error),
        _ => None,
    };
    kept.lost(source, untold);
}
