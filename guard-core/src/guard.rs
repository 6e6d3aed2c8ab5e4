//! Entering and exiting by hand.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use crate::cleanup::{GuardNest, Nest, drop_block, drop_context, drop_guard};
use crate::context::{Checked, DriveBody, lose_error};
use crate::platform::panics::{Panic, catch_panic};
use crate::raw::{Held, HeldBeside};
use crate::report::{ReportSource, drop_before};
use crate::using::entering::Entering;
use crate::using::exit_steps::ExitSteps;
use crate::using::form::{Kept, Value};
use crate::{AsyncContext, Outcome};

/// The future of [`AsyncContext::enter`].
#[must_use = "the context is entered when this is awaited: `.enter().await`"]
pub struct Enter<C, X = ()>(Entering<C, X>)
where
    C: AsyncContext<X>;

impl<C, X> Enter<C, X>
where
    C: AsyncContext<X>,
{
    pub(crate) fn new(context: C) -> Self {
        Self(Entering::new(context))
    }
}

impl<C, X> Future for Enter<C, X>
where
    C: AsyncContext<X>,
{
    type Output = Result<Guard<C, X>, C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let entered = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(entered.map(|(context, nest)| Guard::new(context, nest)))
    }
}

impl<C, X> fmt::Debug for Enter<C, X>
where
    C: AsyncContext<X>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enter").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Guard::drive`].
    ///
    /// Its output is known before `F` is. If the body is no async closure, `F` does not exist, so rustc reports that once.
    #[must_use = "the body is run when this is awaited: `.await`"]
    pub struct Drive<F, T, E> {
        #[pin]
        future: F,
        output: PhantomData<fn() -> (T, E)>,
    }
}

impl<F, T, E> Drive<F, T, E> {
    fn new(future: F) -> Self {
        Self {
            future,
            output: PhantomData,
        }
    }
}

impl<F, T, E> Future for Drive<F, T, E>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx)
    }
}

impl<F, T, E> fmt::Debug for Drive<F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive").finish_non_exhaustive()
    }
}

/// An entered context, to be exited by hand: see [`AsyncContext::enter`].
///
/// **A guard has to be exited**: `guard.exit().await?`. One that is forgotten, or dropped by a `?`, is
/// cleaned up in the background and told [`Cancelled`](Outcome::Cancelled), so a transaction is rolled back, although
/// nothing failed. No lint can see that. Where a block is possible, [`async_with!`](crate::async_with) cannot forget.
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
/// In a struct its type is that of a boxed context, `Guard<BoxContext<'static, R, E>>`, where `R` is the resource; an
/// `Option` lets it be taken out to be exited. It is `Sync` where the resource is, whatever the context is: through
/// a shared guard there is only a shared resource. So it can be in the state of a service, or in a `static`.
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
/// [`async_with!`](crate::async_with) and [`AsyncContext::with`] catch a panic and tell it.
///
/// Inside a use, a guard that is dropped or exited waits for the clean-ups of guards that were opened after it in that use, and
/// dropped. Without a use around them guards do not wait for one another: nest `async_with!`, or use an exit stack, where that
/// matters.
#[must_use = "a guard that is dropped at once cleans up in the background: call `.exit().await`"]
pub struct Guard<C, X = ()>
where
    C: AsyncContext<X>, // of a context, not of what it lends. As a field: `Guard<BoxContext<'static, R, E>>`
{
    /// `None` when it is being exited.
    held: Option<Held<C, X>>,
    /// What was dropped in its set-up and in [`drive`](Self::drive).
    nest: Nest,
    /// The clean-ups of guards that were opened after this one, and dropped: its exit waits for them.
    younger: Option<GuardNest>,
}

impl<C, X> Guard<C, X>
where
    C: AsyncContext<X>,
{
    fn new(context: Pin<Box<C>>, nest: Nest) -> Self {
        let younger = GuardNest::of(&*context);
        Self {
            held: Some(Held::new(context)),
            nest,
            younger,
        }
    }

    fn held(&self) -> &Held<C, X> {
        self.held.as_ref().expect("only its end takes it")
    }

    fn held_mut(&mut self) -> &mut Held<C, X> {
        self.held.as_mut().expect("only its end takes it")
    }

    /// Runs `body` with the resource, and does not exit.
    ///
    /// A guard has no block: what is dropped while it is held belongs to the use around it. What is dropped
    /// unfinished in `body` belongs to the guard, whose exit waits for its clean-up.
    ///
    /// # Examples
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
    /// let sum = guard.drive(async |numbers| numbers.iter().sum::<u32>()).await?;
    /// assert_eq!(sum, 3);
    /// guard.exit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// What goes on beside the block of the context (`yield_resource!(resource, future)`) goes on while `body` runs, and
    /// only then: nobody else polls it for a guard.
    ///
    /// # Errors
    ///
    /// What goes on beside the resource ended `body`, with this error. The guard is still to be exited, and its exit is
    /// told what its caller says, also in a context that catches.
    ///
    /// # Panics
    ///
    /// A panic of `body` goes on, and the guard is still to be exited. So does a panic of what goes on beside it.
    ///
    /// It panics if something goes on beside a context that the context is made of, because the error of that is had only
    /// by exiting: at once, or, where that context was entered on a stack while `body` ran, when it has ended `body`.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops `body`; the guard is still to be exited.
    #[allow(
        clippy::type_complexity,
        reason = "no future if `body` is no async closure"
    )]
    pub fn drive<T>(
        &mut self,
        body: impl DriveBody<C::Resource, T>,
    ) -> Drive<Checked<impl Future<Output = Result<T, C::Error>>, T>, T, C::Error> {
        Drive::new(async move {
            let Self { held, nest, .. } = self;
            let held = held.as_mut().expect("only its end takes it");
            let (resource, beside) = held.drive();
            let driven = DrivenBody {
                body: Some(body(resource)),
                beside,
                nest,
            };
            let panic = match driven.await {
                (Ok(value), None) => return Ok(value),
                (Ok(value), Some(panic)) => {
                    Value::new(value).lost(held.report_source(), None::<X>);
                    panic.resume()
                }
                // The first panic goes on.
                (Err(Some(first)), second) => {
                    if let Some(second) = second {
                        second.report_body_to(held.report_source());
                    }
                    Some(first)
                }
                (Err(None), dropped) => dropped,
            };
            if let Some(panic) = panic {
                held.report_failures();
                panic.resume();
            }
            match held.failure() {
                Some(error) => Err(error),
                None => panic!("{}", crate::raw::GUARD_CANNOT_DRIVE),
            }
        })
    }

    /// Exits with [`Outcome::Completed`].
    ///
    /// # Errors
    ///
    /// Cleaning up failed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being exited.
    #[doc(alias = "aclose")]
    #[doc(alias = "close")]
    #[doc(alias = "release")]
    pub fn exit(
        self, // in a field or a lock: keep an `Option<Guard<…>>`, and `.take()` the guard out of it
    ) -> Exit<C, X> {
        self.exit_with(Outcome::Completed)
    }

    /// Exits with any outcome.
    ///
    /// # Errors
    ///
    /// Cleaning up failed. The error that the outcome stands for is the caller's to return.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being exited. If the future has not been polled, the context is told
    /// [`Cancelled`](Outcome::Cancelled). But a context that catches is given the error of the outcome all the same.
    #[allow(
        clippy::missing_panics_doc,
        reason = "only the end of the guard takes what it holds"
    )]
    pub fn exit_with(mut self, outcome: Outcome<X>) -> Exit<C, X> {
        let held = self.held.take().expect("only its end takes it");
        let mut nest = core::mem::take(&mut self.nest);
        // What goes on beside it ends here.
        let context = held.release(&mut nest);
        let mut steps = ExitSteps::new(nest);
        steps.tell(outcome, Some);
        Exit {
            context: Some(context),
            steps,
            younger: self.younger.take(),
        }
    }
}

impl<C, X> Drop for Guard<C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else {
            return;
        };
        let younger = self.younger.take();
        self.nest.absorb(younger.as_ref());
        drop_guard(younger.as_ref(), || {
            held.end_beside(&mut self.nest);
            let mut held = Some(held);
            drop_context(&mut self.nest, &mut || held = None);
        });
    }
}

pin_project_lite::pin_project! {
    /// The future of a body that is driven beside its guard.
    struct DrivenBody<'a, F> {
        #[pin]
        body: Option<F>,
        beside: HeldBeside<'a>,
        nest: &'a mut Nest,
    }

    impl<F> PinnedDrop for DrivenBody<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                drop_block(this.nest, &mut || this.body.set(None));
            }
        }
    }
}

impl<F: Future> Future for DrivenBody<'_, F> {
    /// The result of the body, and the panic of the body's destructor. The result is an `Err` if something beside the body has
    /// ended it: with a panic, or with an error, which the context keeps.
    type Output = (Result<F::Output, Option<Panic>>, Option<Panic>);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let body = this.body.as_mut().as_pin_mut();
        let body = body.expect("a future was polled after its end");
        let beside = this.beside;
        let polled = this.nest.during(|| match body.poll(cx) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => beside.poll(cx).map(Err),
        });
        let ended = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(value)) => Ok(value),
            Poll::Ready(Err(ended)) => Err(ended.panic),
        };
        let dropped = this.nest.during(|| catch_panic(|| this.body.set(None)));
        Poll::Ready((ended, dropped.err()))
    }
}

impl<C, X> Deref for Guard<C, X>
where
    C: AsyncContext<X>,
{
    type Target = C::Resource;

    fn deref(&self) -> &C::Resource {
        self.held().resource()
    }
}

impl<C, X> DerefMut for Guard<C, X>
where
    C: AsyncContext<X>,
{
    fn deref_mut(&mut self) -> &mut C::Resource {
        self.held_mut().resource_mut()
    }
}

impl<C, X> fmt::Debug for Guard<C, X>
where
    C: AsyncContext<X>,
    C::Resource: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard")
            .field(&self.held().resource())
            .finish()
    }
}

/// The future of [`Guard::exit`].
#[must_use = "the context is exited when this is awaited; dropped, it is told `Cancelled`"]
pub struct Exit<C, X = ()>
where
    C: AsyncContext<X>,
{
    /// `None` when it has exited.
    context: Option<Pin<Box<C>>>,
    steps: ExitSteps<X, C::Error>,
    younger: Option<GuardNest>,
}

impl<C, X> Unpin for Exit<C, X> where C: AsyncContext<X> {}

impl<C, X> Exit<C, X>
where
    C: AsyncContext<X>,
{
    /// Drops the context before the caller is told its error.
    #[cold]
    fn end_failed(&mut self, error: C::Error) -> C::Error {
        let Some(context) = &self.context else {
            return error;
        };
        let source = context.report_source();
        drop_before(error, source, ReportSource::lose, &mut || {
            self.context = None;
        })
    }

    /// Takes over the clean-ups of guards that were opened later and dropped since: this exit waits for them.
    fn absorb(&mut self) {
        self.steps.nest().absorb(self.younger.as_ref());
    }
}

impl<C, X> Future for Exit<C, X>
where
    C: AsyncContext<X>,
{
    type Output = Result<(), C::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.absorb();
        let this = &mut *self;
        let context = this.context.as_mut();
        let context = context.expect("a future was polled after its end");
        // Dropped when the exit has ended, also by a panic. Then the guards that were opened later are tied to the next older
        // one, whether or not this future is kept.
        let younger = this.younger.take();
        let exited = this.steps.poll(context.as_mut(), cx, Outcome::Cancelled);
        if exited.is_pending() {
            this.younger = younger;
            return Poll::Pending;
        }
        if let Poll::Ready(Err(error)) = exited {
            return Poll::Ready(Err(this.end_failed(error)));
        }
        this.context = None;
        Poll::Ready(Ok(()))
    }
}

impl<C, X> Drop for Exit<C, X>
where
    C: AsyncContext<X>,
{
    fn drop(&mut self) {
        let Some(mut context) = self.context.take() else {
            return;
        };
        self.absorb();
        if let Some(error) = self.steps.take_error() {
            lose_error(&*context, error);
        }
        self.steps.tell_error(context.as_mut());
        let mut context = Some(context);
        let younger = self.younger.take();
        drop_guard(younger.as_ref(), || {
            drop_context(self.steps.nest(), &mut || context = None);
        });
    }
}

impl<C, X> fmt::Debug for Exit<C, X>
where
    C: AsyncContext<X>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exit").finish_non_exhaustive()
    }
}
