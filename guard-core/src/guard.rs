//! Entering and exiting by hand.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::raw::Held;
use crate::{AsyncContext, Outcome};

/// The future of [`AsyncContext::enter`].
#[must_use = "the context is entered when this is awaited: `.enter().await`"]
pub struct Enter<C, X = ()>
where
    C: AsyncContext<X>,
{
    context: Option<Pin<Box<C>>>,
    _outcome: core::marker::PhantomData<fn(X)>,
}

impl<C, X> Enter<C, X>
where
    C: AsyncContext<X>,
{
    pub(crate) fn new(context: C) -> Self {
        Self {
            context: Some(Box::pin(context)),
            _outcome: core::marker::PhantomData,
        }
    }
}

impl<C, X> Future for Enter<C, X>
where
    C: AsyncContext<X>,
{
    type Output = Result<Guard<C, X>, C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let context = self.context.as_mut();
        let context = context.expect("a future was polled after its end");
        let entered = ready!(context.as_mut().poll_enter(cx));
        let context = self.context.take();
        Poll::Ready(entered.map(|()| Guard {
            held: Held::new(context.expect("it was just polled")),
        }))
    }
}

/// An entered context, to be exited by hand: see [`AsyncContext::enter`].
///
/// It dereferences to the resource. [`exit`](Self::exit) consumes it, so using the resource afterwards
/// does not compile.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{AsyncContext, async_context, yield_resource};
///
/// #[async_context]
/// async fn numbers() -> Result<Vec<u32>, std::io::Error> {
///     let mut numbers = vec![1, 2];
///     yield_resource!(numbers);
///     Ok(())
/// }
///
/// let mut guard = numbers().enter().await?;
/// guard.push(3);
/// assert_eq!(guard.len(), 3);
/// guard.exit().await?;
/// # Ok(()) }
/// ```
///
/// In a struct its type is that of a boxed context; an `Option` lets it be taken out to be exited.
///
/// ```
/// use guard_core::{AsyncContext, BoxContext, Guard};
/// use std::io;
///
/// struct Client {
///     connection: Option<Guard<BoxContext<'static, String, io::Error>>>,
/// }
///
/// impl Client {
///     async fn open(context: impl AsyncContext<Resource = String, Error = io::Error> + Send + 'static) -> io::Result<Self> {
///         let connection = context.boxed().enter().await?;
///         Ok(Self { connection: Some(connection) })
///     }
///
///     async fn close(mut self) -> io::Result<()> {
///         match self.connection.take() {
///             Some(connection) => connection.exit().await,
///             None => Ok(()),
///         }
///     }
/// }
/// ```
///
/// # Cancellation
///
/// Nothing tells a guard that the function around it failed: on a `?` before its exit it is dropped.
/// A guard that is dropped without being exited drops its context, whose outcome then is
/// [`Cancelled`](Outcome::Cancelled), also when it is dropped by a panic: only
/// [`async_with!`](crate::async_with) and [`AsyncContext::with`] catch a panic and tell it. Several
/// guards that are dropped together begin their clean-up in the order in which they are dropped, but do
/// not wait for one another: nest `async_with!`, or use an exit stack, where that matters.
#[must_use = "a guard that is dropped at once cleans up in the background: call `.exit().await`"]
pub struct Guard<C, X = ()>
where
    C: AsyncContext<X>,
{
    held: Held<C, X>,
}

impl<C, X> Guard<C, X>
where
    C: AsyncContext<X>,
{
    /// Exits with [`Outcome::Completed`].
    ///
    /// # Errors
    ///
    /// Cleaning up failed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being exited.
    pub fn exit(self) -> Exit<C, X> {
        self.exit_with(Outcome::Completed)
    }

    /// Exits with any outcome.
    ///
    /// # Errors
    ///
    /// Cleaning up failed. The error that the outcome stands for is the caller's to return.
    pub fn exit_with(self, outcome: Outcome<X>) -> Exit<C, X> {
        Exit {
            context: self.held.release(),
            outcome: Some(outcome),
        }
    }
}

impl<C, X> Deref for Guard<C, X>
where
    C: AsyncContext<X>,
{
    type Target = C::Resource;

    fn deref(&self) -> &C::Resource {
        self.held.resource()
    }
}

impl<C, X> DerefMut for Guard<C, X>
where
    C: AsyncContext<X>,
{
    fn deref_mut(&mut self) -> &mut C::Resource {
        self.held.resource_mut()
    }
}

impl<C, X> fmt::Debug for Guard<C, X>
where
    C: AsyncContext<X>,
    C::Resource: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.held.resource()).finish()
    }
}

/// The future of [`Guard::exit`].
#[must_use = "the context is exited when this is awaited; dropped, it is told `Cancelled`"]
pub struct Exit<C, X = ()>
where
    C: AsyncContext<X>,
{
    context: Pin<Box<C>>,
    outcome: Option<Outcome<X>>,
}

impl<C, X> Unpin for Exit<C, X> where C: AsyncContext<X> {}

impl<C, X> Future for Exit<C, X>
where
    C: AsyncContext<X>,
{
    type Output = Result<(), C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Only the first poll tells; after that the context carries on.
        let outcome = self.outcome.take().unwrap_or(Outcome::Cancelled);
        self.context.as_mut().poll_exit(cx, outcome)
    }
}
