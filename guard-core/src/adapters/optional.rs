//! A context that is there or not.

use alloc::boxed::Box;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

#[cfg(feature = "std")]
use crate::cleanup::{Runtime, RuntimeId, WaitLimit};
use crate::order::Order;
use crate::raw::Held;
use crate::report::{ReportKind, ReportSource};
use crate::{AsyncContext, Outcome};

/// Uses a context if there is one, and lends what [may hold](OptionalResource) its resource.
///
/// For what is configured or not: a cache, a lock, a metrics server. Without a context entering and exiting do
/// nothing. A context is moved to the heap, one allocation. Its guarantees stay its own: a guaranteed one is
/// cleaned up also when its user is cancelled.
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
        order: Order::Start,
        #[cfg(feature = "std")]
        runtime: None,
    }
}

/// The context of [`optional`](crate::optional).
pub struct Optional<C>
where
    C: AsyncContext,
{
    /// While it is not lent.
    context: Option<Pin<Box<C>>>,
    lent: OptionalResource<C>,
    order: Order,
    /// The context's, once it was entered.
    #[cfg(feature = "std")]
    runtime: Option<RuntimeId>,
}

impl<C> Optional<C>
where
    C: AsyncContext,
{
    /// Ends the lending, and gives the context, if there is one.
    fn take_back(&mut self) -> Option<Pin<&mut C>> {
        if let Some(held) = self.lent.held.take() {
            self.context = Some(held.release());
        }
        self.context.as_mut().map(Pin::as_mut)
    }
}

/// What [`optional`](crate::optional) lends: the resource of the context, if there is one.
pub struct OptionalResource<C>
where
    C: AsyncContext,
{
    held: Option<Held<C, ()>>,
}

impl<C> OptionalResource<C>
where
    C: AsyncContext,
{
    /// The resource, if there is a context.
    #[must_use]
    pub fn get(&self) -> Option<&C::Resource> {
        self.held.as_ref().map(Held::resource)
    }

    /// The resource, if there is a context, to be changed.
    #[must_use]
    pub fn get_mut(&mut self) -> Option<&mut C::Resource> {
        self.held.as_mut().map(Held::resource_mut)
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
        #[cfg(feature = "std")]
        {
            this.runtime = this.context.as_ref().map(AsyncContext::runtime);
        }
        let context = this.context.take();
        this.lent.held = context.map(|context| Held::without_beside(context, "`optional`"));
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut OptionalResource<C> {
        let this = self.get_mut();
        this.order.lend();
        &mut this.lent
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.exit();
        let exited = match this.take_back() {
            Some(context) => context.poll_exit(cx, outcome),
            None => Poll::Ready(Ok(())),
        };
        if exited.is_ready() {
            this.order.end();
        }
        exited
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        match self.get_mut().take_back() {
            Some(context) => context.tell(outcome),
            None => Some(outcome),
        }
    }

    #[cfg(feature = "std")]
    fn runtime(&self) -> RuntimeId {
        match (&self.context, self.runtime) {
            (_, Some(runtime)) => runtime,
            (Some(context), None) => context.runtime(),
            (None, None) => Runtime::current().id(),
        }
    }

    #[cfg(feature = "std")]
    fn poll_wait_limit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        match self.get_mut().take_back() {
            Some(context) => context.poll_wait_limit(cx),
            None => WaitLimit::General,
        }
    }

    fn report_source(&self) -> ReportSource<C::Error> {
        match &self.context {
            Some(context) => context.report_source(),
            None => ReportSource::of_type::<C>(),
        }
    }

    fn report(&self, kind: ReportKind<'_, C::Error>) {
        match &self.context {
            Some(context) => context.report(kind),
            None => self.report_source().report(kind),
        }
    }
}
