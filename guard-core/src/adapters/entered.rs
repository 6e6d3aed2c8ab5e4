//! A context that another context has entered, and exits.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::OnceLock;

use crate::cleanup::{Nest, drop_context, poll_settle, poll_settle_before_exit};
use crate::raw::Held;
use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// An entered context whose resource is lent, with what its set-up left.
///
/// Dropped, it drops the context.
pub(super) struct Entered<C>
where
    C: AsyncContext,
{
    /// `None` when it is taken apart.
    held: Option<Held<C, ()>>,
    nest: Nest,
    /// What it is told when it is dropped.
    told: OnceLock<Outcome>,
}

impl<C> Entered<C>
where
    C: AsyncContext,
{
    pub(super) fn new(context: Pin<Box<C>>, nest: Nest) -> Self {
        Self {
            held: Some(Held::without_beside(context, "`lazy` or `swap`")),
            nest,
            told: OnceLock::new(),
        }
    }

    pub(super) fn resource(&self) -> &C::Resource {
        self.held
            .as_ref()
            .expect("only its end takes it")
            .resource()
    }

    pub(super) fn resource_mut(&mut self) -> &mut C::Resource {
        let held = self.held.as_mut();
        held.expect("only its end takes it").resource_mut()
    }

    /// Says how its use ended, for when the last who shares it drops it.
    pub(super) fn tell(&self, outcome: Outcome) {
        let _ = self.told.set(outcome);
    }

    /// Ends the lending.
    pub(super) fn exiting(mut self) -> Exiting<C> {
        let held = self.held.take().expect("only its end takes it");
        Exiting {
            context: Some(held.release()),
            nest: core::mem::take(&mut self.nest),
            outcome: None,
            exited: None,
            step: Step::Entered,
        }
    }
}

impl<C> Drop for Entered<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        let Some(held) = self.held.take() else {
            return;
        };
        let mut context = held.release();
        if let Some(told) = self.told.take() {
            context.as_mut().tell(told);
        }
        drop_context(&mut self.nest, || drop(context));
    }
}

/// A context that is exited: it settles before and after its exit, as every use does.
pub(super) struct Exiting<C>
where
    C: AsyncContext,
{
    /// `None` when it is dropped.
    context: Option<Pin<Box<C>>>,
    nest: Nest,
    outcome: Option<Outcome>,
    /// How it exited, until somebody is told.
    exited: Option<Result<(), C::Error>>,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Entered,
    /// It is told how its use ended.
    Told,
    Exiting,
    Settling,
    Over,
}

impl<C> Exiting<C>
where
    C: AsyncContext,
{
    pub(super) fn context(&self) -> &C {
        self.context.as_ref().expect("only its end takes it")
    }

    pub(super) fn context_mut(&mut self) -> Pin<&mut C> {
        let context = self.context.as_mut();
        context.expect("only its end takes it").as_mut()
    }

    /// Tells it how its use ended, before the exit begins.
    pub(super) fn tell(&mut self, outcome: Outcome) {
        if self.step == Step::Entered {
            self.step = Step::Told;
            self.outcome = self.context_mut().tell(outcome);
        }
    }

    /// Exits. What later polls tell is ignored.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let context = self.context.as_mut();
        let mut context = context.expect("only its end takes it").as_mut();
        if self.step == Step::Entered {
            self.step = Step::Told;
            self.outcome = Some(outcome);
        }
        if self.step == Step::Told {
            let (nest, outcome) = (&mut self.nest, &mut self.outcome);
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
}

impl<C> Drop for Exiting<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        let Some(context) = self.context.take() else {
            return;
        };
        if let Some(Err(error)) = self.exited.take() {
            context.report(ReportKind::Failed(&error));
        }
        drop_context(&mut self.nest, || drop(context));
    }
}
