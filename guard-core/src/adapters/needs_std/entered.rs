//! A context that `lazy` or `swap` has entered: how it is lent, and how it is exited.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, OnceLock};

use crate::cleanup::{Nest, drop_context};
use crate::platform::panics::Panic;
use crate::raw::{Ask, Driven, KeptContext, LentContext, Place};
use crate::report::{ReportKind, ReportSource};
use crate::using::exit_steps::ExitSteps;
use crate::{AsyncContext, Outcome};

/// An entered context, for the driver of what goes on beside it.
pub(super) type Shared<C> = Place<Driven<C, ()>>;

/// Where nobody drives what goes on beside it, and what to do.
const NOT_DRIVEN: &str = "`lazy` and `swap` drive only in a use of their own: use them with `async_with!` or `.with(…)`, on \
    the handle that is lent there, without a hand-written context around them";

/// An entered context whose resource is lent, with what its set-up left.
///
/// Dropped, it drops the context.
pub(super) struct Entered<C>
where
    C: AsyncContext,
{
    /// `None` when it is taken apart.
    held: Option<LentContext<C, ()>>,
    /// In whose name something is reported while it is lent.
    source: ReportSource<C::Error>,
    nest: Nest,
    /// What it is told when it is dropped.
    told: OnceLock<Outcome>,
}

impl<C> Entered<C>
where
    C: AsyncContext,
{
    /// `driver` is given what goes on beside it.
    pub(super) fn new(
        context: Pin<Box<C>>,
        nest: Nest,
        driver: Option<impl FnOnce(&Arc<Shared<C>>)>,
    ) -> Self {
        Self {
            source: context.report_source(),
            held: Some(LentContext::new(context, driver, NOT_DRIVEN)),
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

    /// Takes the error out with which what goes on beside it has failed.
    pub(super) fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        self.held.as_mut()?.failure(ask)
    }

    /// In whose name something is reported while it is lent.
    pub(super) fn report_source(&self) -> ReportSource<C::Error> {
        self.source
    }

    /// Drops what goes on beside it.
    pub(super) fn end_beside(&self) -> Result<(), Panic> {
        self.held.as_ref().map_or(Ok(()), LentContext::end_beside)
    }

    /// Says how its use ended, for when the last who shares it drops it.
    pub(super) fn tell(&self, outcome: Outcome) {
        let _ = self.told.set(outcome);
    }

    /// Ends the lending.
    pub(super) fn exiting(mut self) -> Exiting<C> {
        let held = self.held.take().expect("only its end takes it");
        Exiting {
            kept: Some(held.reclaim()),
            steps: ExitSteps::new(core::mem::take(&mut self.nest)),
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
        let mut kept = held.reclaim();
        if let Some(told) = self.told.take() {
            kept.with(|context| context.tell(told));
        }
        let mut kept = Some(kept);
        drop_context(&mut self.nest, &mut || kept = None);
    }
}

/// A context that is exited: it settles before and after its exit, as every use does.
pub(super) struct Exiting<C>
where
    C: AsyncContext,
{
    /// `None` when it is dropped.
    kept: Option<KeptContext<C, ()>>,
    steps: ExitSteps<(), C::Error>,
}

impl<C> Exiting<C>
where
    C: AsyncContext,
{
    /// Looks at the context, if no driver is using it.
    pub(super) fn look<U>(&self, look: impl FnOnce(&C) -> U) -> Option<U> {
        self.kept.as_ref()?.look(look)
    }

    /// Uses the context, if no driver is using it.
    pub(super) fn with<U>(&mut self, action: impl FnOnce(Pin<&mut C>) -> U) -> Option<U> {
        self.kept.as_mut()?.with(action)
    }

    /// Takes the error out with which what goes on beside it has failed.
    pub(super) fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        self.kept.as_mut()?.failure(ask)
    }

    /// Tells it how its use ended, before the exit begins.
    pub(super) fn tell(&mut self, outcome: Outcome) {
        let Self { kept, steps } = self;
        let kept = kept.as_mut().expect("only its end takes it");
        steps.tell(outcome, |outcome| {
            let told = kept.with(|context| context.tell(outcome));
            told.unwrap_or(Some(outcome))
        });
    }

    /// Exits. What later polls tell is ignored.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let Self { kept, steps } = self;
        let kept = kept.as_mut().expect("only its end takes it");
        steps.tell(outcome, Some);
        let context = ready!(kept.poll_release(cx));
        steps.poll(context, cx, outcome)
    }
}

impl<C> Drop for Exiting<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        if let Some(error) = self.steps.take_error() {
            self.look(|context| context.report(ReportKind::Failed(&error)));
        }
        drop_context(self.steps.nest(), &mut || self.kept = None);
    }
}
