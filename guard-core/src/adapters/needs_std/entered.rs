//! A context that `lazy` or `swap` has entered: how it is lent, and how it is exited.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, OnceLock};

use crate::cleanup::{Nest, WaitLimit, drop_block, drop_context};
use crate::context::lose_error;
use crate::platform::panics::Panic;
use crate::raw::{Ask, DriveNode, Driven, KeptContext, LentContext};
use crate::report::{ReportSource, drop_before};
use crate::using::beside_list::HandleSide;
use crate::using::exit_steps::ExitSteps;
use crate::{AsyncContext, Outcome};

/// An entered context, for the driver of what goes on beside it.
pub(super) type DrivenContext<C> = DriveNode<Driven<C, ()>>;

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
    /// What [`end_beside`](Self::end_beside) has left: its exit waits for that too.
    left_beside: OnceLock<Nest>,
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
        driver: Option<impl FnOnce(&Arc<DrivenContext<C>>)>,
    ) -> Self {
        Self {
            source: context.report_source(),
            held: Some(LentContext::new(context, driver, NOT_DRIVEN)),
            nest,
            left_beside: OnceLock::new(),
            told: OnceLock::new(),
        }
    }

    /// For a context that `handle` has entered. What goes on beside it is added to `beside_list`, the list of the use that
    /// lends the handle.
    pub(super) fn by_handle<H>(
        handle: &H,
        beside_list: &HandleSide<DrivenContext<C>>,
        context: Pin<Box<C>>,
        nest: Nest,
    ) -> Self {
        let driver = beside_list.driver(handle);
        let driver = driver.map(|add| |shared: &_| add(Arc::downgrade(shared)));
        Self::new(context, nest, driver)
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

    /// Drops what goes on beside it, while the resource is still lent.
    pub(super) fn end_beside(&self) -> Result<(), Panic> {
        let (mut nest, mut ended) = (Nest::new(), Ok(()));
        if let Some(held) = &self.held {
            let mut later = |panic: Panic| panic.report_to(self.source);
            drop_block(&mut nest, &mut || ended = held.end_beside(&mut later));
        }
        let _ = self.left_beside.set(nest);
        ended
    }

    /// What its exit waits for.
    fn take_nest(&mut self) -> Nest {
        let mut nest = core::mem::take(&mut self.nest);
        if let Some(left) = self.left_beside.take() {
            // Dropped, it leaves its entries in the current nest.
            nest.during(|| drop(left));
        }
        nest
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
            steps: ExitSteps::new(self.take_nest()),
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
        drop_context(&mut self.take_nest(), &mut || kept = None);
    }
}

/// The context that was lent, from the end of the lending, if there was one. Its exit settles before and after, as that of
/// every use.
pub(super) struct Exiting<C>
where
    C: AsyncContext,
{
    kept: Option<KeptContext<C, ()>>,
    steps: ExitSteps<(), C::Error>,
}

impl<C> Exiting<C>
where
    C: AsyncContext,
{
    /// No context: none was lent, or it is still lent.
    pub(super) const fn none() -> Self {
        Self {
            kept: None,
            steps: ExitSteps::new(Nest::new()),
        }
    }

    /// Looks at the context, if no driver is using it.
    pub(super) fn look<U>(&self, look: impl FnOnce(&C) -> U) -> Option<U> {
        self.kept.as_ref()?.look(look)
    }

    /// Takes the error out with which what goes on beside it has failed.
    pub(super) fn failure(&mut self, ask: Ask) -> Option<C::Error> {
        self.kept.as_mut()?.failure(ask)
    }

    /// Tells it how its use ended, before the exit begins. Returns the outcome if there is no context.
    pub(super) fn tell(&mut self, outcome: Outcome) -> Option<Outcome> {
        let Some(kept) = &mut self.kept else {
            return Some(outcome);
        };
        self.steps.tell(outcome, |outcome| {
            let told = kept.with(|context| context.tell(outcome));
            told.unwrap_or(Some(outcome))
        });
        None
    }

    /// Called at each poll while its exit waits for its nest. Returns how long the exit waits.
    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
        let kept = self.kept.as_mut();
        let limit = kept.and_then(|kept| kept.with(|context| context.poll_wait(cx)));
        limit.unwrap_or(WaitLimit::General)
    }

    /// Exits, if there is a context. What later polls tell is ignored.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let Some(kept) = &mut self.kept else {
            return Poll::Ready(Ok(()));
        };
        self.steps.tell(outcome, Some);
        let context = ready!(kept.poll_release(cx, self.steps.nest()));
        self.steps.poll(context, cx, outcome)
    }

    /// Drops the context before the caller is told its error.
    #[cold]
    pub(super) fn end_failed(&mut self, error: C::Error) -> C::Error {
        let Some(source) = self.look(AsyncContext::report_source) else {
            return error;
        };
        drop_before(error, source, ReportSource::lose, &mut || self.kept = None)
    }
}

impl<C> Drop for Exiting<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        if let Some(error) = self.steps.take_error() {
            self.look(|context| lose_error(context, error));
        }
        if self.kept.is_some() {
            drop_context(self.steps.nest(), &mut || self.kept = None);
        }
    }
}
