//! The exit of a context that was entered by hand, or by another context.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::cleanup::{Nest, poll_settle, poll_settle_before_exit};
use crate::report::tells_error;
use crate::{AsyncContext, Outcome};

/// The state of an exit. Like a use, it waits for its nest before the exit and after it.
pub(crate) struct ExitSteps<X, E> {
    step: Step,
    outcome: Option<Outcome<X>>,
    /// The result of the exit, until the caller receives it.
    exited: Option<Result<(), E>>,
    nest: Nest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Entered,
    /// It is told how its use ended, and waits for its nest.
    Told,
    /// Its clean-up runs. What the clean-up drops is waited for when it has ended.
    Exiting,
    Settling,
    Over,
}

impl<X, E> ExitSteps<X, E> {
    /// `nest` is that of the set-up.
    pub(crate) const fn new(nest: Nest) -> Self {
        Self {
            step: Step::Entered,
            outcome: None,
            exited: None,
            nest,
        }
    }

    /// Sets the outcome, unless it has been set before. `pass_on` tells the context, and returns the outcome if the
    /// context did not take it.
    pub(crate) fn tell(
        &mut self,
        outcome: Outcome<X>,
        pass_on: impl FnOnce(Outcome<X>) -> Option<Outcome<X>>,
    ) {
        if self.step == Step::Entered {
            self.step = Step::Told;
            self.outcome = pass_on(outcome);
        }
    }

    /// Exits. `outcome` counts only if [`tell`](Self::tell) was not called before.
    ///
    /// # Panics
    ///
    /// Resumes a panic of the exit. Panics if the exit has ended already.
    pub(crate) fn poll<C>(
        &mut self,
        mut context: Pin<&mut C>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>>
    where
        C: AsyncContext<X, Error = E>,
    {
        self.tell(outcome, Some);
        if self.step == Step::Told {
            let Self { nest, outcome, .. } = self;
            ready!(poll_settle_before_exit(context.as_mut(), nest, cx, outcome));
            self.step = Step::Exiting;
        }
        if self.step == Step::Exiting {
            // Only the first poll tells.
            let outcome = self.outcome.take().unwrap_or(Outcome::Cancelled);
            let exited = self.nest.during(|| context.as_mut().poll_exit(cx, outcome));
            self.exited = Some(ready!(exited));
            self.step = Step::Settling;
        }
        assert!(
            self.step == Step::Settling,
            "a context was exited that has ended"
        );
        ready!(poll_settle(context, &mut self.nest, cx));
        self.step = Step::Over;
        Poll::Ready(self.exited.take().expect("it has just exited"))
    }

    /// Called when nobody polls the exit any more. If the context catches, and has not been told the error of the block, it is
    /// told that now. If it only learns of errors in its exit, the error is reported.
    pub(crate) fn tell_error<C>(&mut self, context: Pin<&mut C>)
    where
        C: AsyncContext<X, Error = E>,
    {
        if !tells_error::<X>() {
            return;
        }
        let Some(Outcome::Failed(error)) = self.outcome.take() else {
            return;
        };
        let source = context.report_source();
        if let Some(Outcome::Failed(untold)) = context.tell(Outcome::Failed(error)) {
            source.report_untold(&untold);
        }
    }

    /// The nest of the context: the exit waits for what is in it.
    pub(crate) fn nest(&mut self) -> &mut Nest {
        &mut self.nest
    }

    /// The error that it exited with, of which nobody has been told.
    pub(crate) fn take_error(&mut self) -> Option<E> {
        self.exited.take()?.err()
    }
}
