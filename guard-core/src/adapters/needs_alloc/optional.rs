//! A context that is there or not.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::call_order::Order;
use crate::cleanup::{Nest, Runtime, RuntimeId, WaitLimit, drop_context, poll_settle};
use crate::raw::{
    Ask, BesidePtr, DriveNode, Driveable, Driven, KeptContext, LentContext, is_not_driven,
};
use crate::report::{ReportKind, ReportSource};
use crate::{AsyncContext, Outcome};

/// Uses a context if there is one, and lends what [may hold](OptionalResource) its resource.
///
/// For what is configured or not: a cache, a lock, a metrics server. Without a context entering and exiting do
/// nothing. A context is moved to the heap, one allocation. Its guarantees stay its own: a guaranteed one is
/// cleaned up also when its user is cancelled.
///
/// What goes on [beside](crate::yield_resource#beside-the-block) the context is driven as if it were used itself.
///
/// Where there are two *kinds* of contexts, which lend the same type, [box](AsyncContext::boxed) both.
///
/// Python: `async with cache() if configured else nullcontext() as cache`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_context, async_with, optional, yield_resource};
/// use std::io;
///
/// #[async_context]
/// async fn cache(address: String) -> io::Result<Vec<String>> {
///     let mut cache = vec![address];
///     yield_resource!(cache);
///     Ok(())
/// }
///
/// async fn serve(cache_address: Option<String>) -> io::Result<usize> {
///     Ok(async_with!(cache = optional(cache_address.map(cache))?, {
///         if let Some(cache) = cache.get_mut() {
///             cache.push("hello".into());
///         }
///         cache.get().map_or(0, Vec::len)
///     }))
/// }
///
/// assert_eq!(serve(Some("localhost".into())).await?, 2);
/// assert_eq!(serve(None).await?, 0);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of the context.
///
/// # Panics
///
/// A panic of the context goes on.
///
/// # Cancellation
///
/// That of the context.
pub fn optional<C>(context: Option<C>) -> Optional<C>
where
    C: AsyncContext,
{
    Optional {
        context: context.map(Box::pin),
        lent: OptionalResource { held: None },
        kept: None,
        nest: Nest::new(),
        driven: None,
        is_asked: false,
        outcome: None,
        source: None,
        order: Order::Start,
        runtime: None,
    }
}

/// The context of [`optional`](crate::optional).
#[must_use = "a context does nothing until it is used: `async_with!(resource = optional(context)?, { … })`"]
pub struct Optional<C>
where
    C: AsyncContext,
{
    /// Before it is lent.
    context: Option<Pin<Box<C>>>,
    lent: OptionalResource<C>,
    /// From the end of the lending.
    kept: Option<KeptContext<C, ()>>,
    /// The clean-ups of uses that the future beside the context dropped when the lending ended. It is usually empty: the
    /// driver has ended that future before.
    nest: Nest,
    /// If something goes on beside it: the same context, for the driver.
    driven: Option<Arc<DriveNode<Driven<C, ()>>>>,
    /// The driver knows of that.
    is_asked: bool,
    /// What it was told first.
    outcome: Option<Outcome>,
    /// In whose name something is reported while it is lent.
    source: Option<ReportSource<C::Error>>,
    order: Order,
    /// The context's, once it was entered.
    runtime: Option<RuntimeId>,
}

impl<C> Optional<C>
where
    C: AsyncContext,
{
    /// Ends the lending.
    fn take_back(&mut self) {
        if let Some(held) = self.lent.held.take() {
            self.kept = Some(held.reclaim());
        }
    }

    /// Uses the context that was lent, if there is one and no driver is using it.
    fn with_kept<U>(&mut self, action: impl FnOnce(Pin<&mut C>) -> U) -> Option<U> {
        self.take_back();
        match (&mut self.kept, &mut self.context) {
            (Some(kept), _) => kept.with(action),
            (None, Some(context)) => Some(action(context.as_mut())),
            (None, None) => None,
        }
    }

    /// Looks at the context, if it is not lent.
    fn look<U>(&self, look: impl FnOnce(&C) -> U) -> Option<U> {
        match (&self.kept, &self.context) {
            (Some(kept), _) => kept.look(look),
            (None, Some(context)) => Some(look(context)),
            (None, None) => None,
        }
    }
}

/// What [`optional`](crate::optional) lends: the resource of the context, if there is one.
pub struct OptionalResource<C>
where
    C: AsyncContext,
{
    held: Option<LentContext<C, ()>>,
}

impl<C> OptionalResource<C>
where
    C: AsyncContext,
{
    /// The resource, if there is a context.
    #[must_use]
    pub fn get(&self) -> Option<&C::Resource> {
        self.held.as_ref().map(LentContext::resource)
    }

    /// The resource, if there is a context, to be changed.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut C::Resource> {
        self.held.as_mut().map(LentContext::resource_mut)
    }

    /// Whether there is a context.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.held.is_some()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.held.is_none()
    }
}

impl<C> fmt::Debug for OptionalResource<C>
where
    C: AsyncContext<Resource: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<C> fmt::Debug for Optional<C>
where
    C: AsyncContext,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optional").finish_non_exhaustive()
    }
}

// The context lies in a box of its own.
impl<C> Unpin for Optional<C> where C: AsyncContext {}

impl<C> Drop for Optional<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        drop_context(&mut self.nest, &mut || self.kept = None);
    }
}

#[diagnostic::do_not_recommend]
impl<C> AsyncContext for Optional<C>
where
    C: AsyncContext,
{
    type Resource = OptionalResource<C>;
    type Error = C::Error;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.enter();
        if let Some(context) = &mut this.context {
            ready!(context.as_mut().poll_enter(cx))?;
        }
        this.order.entered();
        this.runtime = this.context.as_ref().map(AsyncContext::runtime);
        if let Some(context) = this.context.take() {
            this.source = Some(context.report_source());
            let driven = &mut this.driven;
            let driver = |shared: &Arc<_>| *driven = Some(Arc::clone(shared));
            this.lent.held = Some(LentContext::new(context, Some(driver), "`optional` drives"));
        }
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut OptionalResource<C> {
        let this = self.get_mut();
        this.order.lend();
        if let Some(driven) = &this.driven {
            if !this.is_asked && !driven.refuse() {
                is_not_driven();
            }
        }
        &mut this.lent
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.exit();
        let outcome = *this.outcome.get_or_insert(outcome);
        this.take_back();
        let exited = match &mut this.kept {
            Some(kept) => {
                let mut context = ready!(kept.poll_release(cx, &mut this.nest));
                ready!(poll_settle(context.as_mut(), &mut this.nest, cx));
                context.poll_exit(cx, outcome)
            }
            None => Poll::Ready(Ok(())),
        };
        if exited.is_ready() {
            this.order.end();
        }
        exited
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        let told = self.get_mut().with_kept(|context| context.tell(outcome));
        told.unwrap_or(Some(outcome))
    }

    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let this = self.get_mut();
        this.is_asked = true;
        this.driven.as_ref().map(DriveNode::beside)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<C::Error> {
        let this = self.get_mut();
        match (&mut this.lent.held, &mut this.kept) {
            (Some(held), _) => held.failure(ask),
            (None, Some(kept)) => kept.failure(ask),
            (None, None) => None,
        }
    }

    fn runtime(&self) -> RuntimeId {
        match (self.runtime, &self.context) {
            (Some(runtime), _) => runtime,
            (None, Some(context)) => context.runtime(),
            (None, None) => Runtime::current().id(),
        }
    }

    fn poll_wait(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        let limit = self.get_mut().with_kept(|context| context.poll_wait(cx));
        limit.unwrap_or(WaitLimit::General)
    }

    fn report_source(&self) -> ReportSource<C::Error> {
        let source = self.look(AsyncContext::report_source).or(self.source);
        source.unwrap_or_else(ReportSource::of_type::<C>)
    }

    fn report(&self, kind: ReportKind<'_, C::Error>) {
        if self.look(|context| context.report(kind)).is_none() {
            self.report_source().report(kind);
        }
    }
}
