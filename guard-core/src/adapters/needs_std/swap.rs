//! A context that is replaced by the next one while it is used.

use core::fmt;
use core::future::poll_fn;
use core::ops::Deref;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::boxed::Box;
use std::sync::Arc;

use super::entered::{DrivenContext, Entered, Exiting};
use crate::call_order::Order;
use crate::cleanup::{Nest, Runtime, RuntimeId, WaitLimit, drop_context};
use crate::context::Checked;
use crate::platform::panics::{Panic, contained};
use crate::platform::sync::{Mutex, lock};
use crate::raw::{Ask, BesidePtr};
use crate::report::{ReportKind, ReportSource};
use crate::using::beside_list::{DriverSide, HandleSide};
use crate::using::entering::Entering;
use crate::{AsyncContext, Outcome};

/// Lends a [handle](SwapResource) to one entered context, which can be replaced by the next.
///
/// For rotated credentials, a reloaded configuration, a reopened log file. [`current`](SwapResource::current) gives the resource of
/// the context that is entered now. [`replace`](SwapResource::replace) enters the next one, makes it the current
/// one, and exits the former when nobody reads it any more: there is no moment without a resource. At the
/// end of the use the current one is exited, with the outcome of the use; those that were replaced are told
/// [`Completed`](Outcome::Completed).
///
/// What goes on [beside](crate::yield_resource#beside-the-block) the current context is driven. If it fails, it ends the block
/// of this use. When the context is replaced, it is dropped, though some may still read the resource.
///
/// The resource is only read: many may read at once, and none has it alone. What has to change in it needs a lock.
///
/// All contexts are of one type: [box](AsyncContext::boxed) them if they are of several kinds. To let tasks use the handle,
/// share a guard of it: `Arc::new(swap(first).enter().await?)`. A guard that is shared drives nothing.
///
/// cats-effect: `NonEmptyHotswap`. Python: none; an `AsyncExitStack` for each, and a counter of its readers.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// use guard_core::{async_context, async_with, swap, yield_resource};
/// use std::io;
///
/// #[async_context]
/// async fn credentials(number: u32) -> io::Result<String> {
///     let mut token = format!("token {number}"); // log in
///     yield_resource!(token);
///     Ok(()) // and out
/// }
///
/// async_with!(session = swap(credentials(1))?, {
///     let former = session.current();
///     assert_eq!(*former, "token 1");
///     drop(former); // `replace` waits for those who read
///     session.replace(credentials(2)).await?;
///     assert_eq!(*session.current(), "token 2");
/// });
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The errors of the first context when it is entered, and of the current one when it is exited.
///
/// # Panics
///
/// A panic of a context goes on.
///
/// # Cancellation
///
/// As for the current context. [`replace`](SwapResource::replace) says what happens when it is cancelled itself.
pub fn swap<C, R>(first: C) -> Checked<Swap<C>, R>
where
    C: AsyncContext<Resource = R>,
    R: ?Sized,
{
    Swap {
        first: Some(Box::pin(first)),
        nest: Nest::new(),
        lent: SwapResource {
            current: Mutex::new(None),
            beside_list: HandleSide::nowhere(),
        },
        beside_list: DriverSide::new(),
        exiting: Exiting::none(),
        order: Order::Start,
        runtime: None,
    }
}

/// The context of [`swap`](crate::swap).
#[must_use = "a context does nothing until it is used: `async_with!(handle = swap(context)?, { … })`"]
pub struct Swap<C>
where
    C: AsyncContext,
{
    /// Until it is entered.
    first: Option<Pin<Box<C>>>,
    /// What the set-up of the first one dropped, and the guards that were opened in it.
    nest: Nest,
    lent: SwapResource<C>,
    beside_list: DriverSide<DrivenContext<C>>,
    exiting: Exiting<C>,
    order: Order,
    /// Where the first one was entered.
    runtime: Option<RuntimeId>,
}

/// What [`swap`](crate::swap) lends: the context that is entered now, until it is replaced.
pub struct SwapResource<C>
where
    C: AsyncContext,
{
    /// `None` only while the use is not entered.
    current: Mutex<Option<Readable<C>>>,
    /// What goes on beside it.
    beside_list: HandleSide<DrivenContext<C>>,
}

/// An entered context, and how many read it.
struct Readable<C>
where
    C: AsyncContext,
{
    entered: Arc<Entered<C>>,
    readers: Arc<Readers>,
}

#[derive(Default)]
struct Readers(Mutex<Reading>);

#[derive(Default)]
struct Reading {
    count: usize,
    /// Who waits until there is none.
    waiting: Option<Waker>,
}

impl Readers {
    fn poll_none(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut reading = lock(&self.0);
        if reading.count == 0 {
            return Poll::Ready(());
        }
        let replaced = reading.waiting.replace(waker);
        drop(reading);
        drop(replaced);
        Poll::Pending
    }
}

/// One who reads: see [`SwapResource::current`].
///
/// It dereferences to the resource, which is there until this is dropped.
#[must_use = "the context that is read may be replaced and exited as soon as this is dropped"]
pub struct Current<'a, C>
where
    C: AsyncContext,
{
    /// `None` while this is dropped.
    entered: Option<Arc<Entered<C>>>,
    readers: Arc<Readers>,
    _handle: core::marker::PhantomData<&'a SwapResource<C>>,
}

impl<C> Deref for Current<'_, C>
where
    C: AsyncContext,
{
    type Target = C::Resource;

    fn deref(&self) -> &C::Resource {
        let entered = self.entered.as_ref();
        entered.expect("only its end takes it").resource()
    }
}

impl<C> Drop for Current<'_, C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        /// Counts the reader down, also if the destructor of the context panics.
        struct CountDown<'a>(&'a Readers);

        impl Drop for CountDown<'_> {
            fn drop(&mut self) {
                let mut reading = lock(&self.0.0);
                reading.count -= 1;
                let waiting = if reading.count == 0 {
                    reading.waiting.take()
                } else {
                    None
                };
                drop(reading);
                if let Some(waiting) = waiting {
                    contained(|| waiting.wake());
                }
            }
        }

        // The reference is dropped before the reader is counted down: `poll_alone` then has the only one.
        let _count_down = CountDown(&self.readers);
        drop(self.entered.take());
    }
}

impl<C> fmt::Debug for Current<'_, C>
where
    C: AsyncContext<Resource: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&&**self).finish()
    }
}

/// Why [`try_replace`](SwapResource::try_replace) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplaceError<E> {
    /// The next context could not be entered. The current one is still the former.
    Enter(E),
    /// The former context could not be exited. The current one is the next.
    Exit(E),
}

impl<E> ReplaceError<E> {
    /// The error of the context.
    pub fn into_inner(self) -> E {
        match self {
            Self::Enter(error) | Self::Exit(error) => error,
        }
    }
}

impl<E: fmt::Display> fmt::Display for ReplaceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter(error) => write!(f, "the next context could not be entered: {error}"),
            Self::Exit(error) => write!(f, "the former context could not be exited: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ReplaceError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Enter(error) | Self::Exit(error) => Some(error),
        }
    }
}

impl<C> SwapResource<C>
where
    C: AsyncContext,
{
    /// The resource of the context that is entered now.
    ///
    /// It stays what it is while this is held, also when it is replaced meanwhile: [`replace`](Self::replace) waits for all
    /// who hold the former one. So do not hold it across a `replace` in the same task, which would wait for ever. What is
    /// asked in the head of a `match`, an `if let` or a `while let` is held until the end of its arms: ask before it,
    /// `let expired = handle.current().is_expired();`.
    ///
    /// # Panics
    ///
    /// Never, in a use: there always is one.
    pub fn current(&self) -> Current<'_, C> {
        let current = lock(&self.current);
        let current = current.as_ref().expect("there is one in a use");
        lock(&current.readers.0).count += 1;
        Current {
            entered: Some(current.entered.clone()),
            readers: current.readers.clone(),
            _handle: core::marker::PhantomData,
        }
    }

    /// Enters `next`, makes it the current context, waits until nobody reads the former, and exits that, with
    /// [`Completed`](Outcome::Completed).
    ///
    /// Two that are called at once both take effect, one after the other.
    ///
    /// # Errors
    ///
    /// The error of entering `next`: nothing has changed then. Or the error of exiting the former one: `next` has taken its
    /// place. [`try_replace`](Self::try_replace) tells them apart.
    ///
    /// # Panics
    ///
    /// A panic of a context goes on. One of the set-up of `next` changes nothing.
    ///
    /// It panics if something goes on beside `next` and nobody drives it: the use was entered on an exit stack that is owned,
    /// or is inside a hand-written context.
    ///
    /// # Cancellation
    ///
    /// Dropped while it enters `next`, it changes nothing, and drops `next`, whose set-up is finished in the background
    /// and told [`Cancelled`](Outcome::Cancelled) if it is a guaranteed context. Dropped later, it has replaced: the former
    /// context is exited in the background as soon as nobody reads it any more, and told `Completed` all the same.
    pub async fn replace(&self, next: C) -> Result<(), C::Error> {
        let replaced = self.try_replace(next).await;
        replaced.map_err(ReplaceError::into_inner)
    }

    /// [`replace`](Self::replace) that says whether `next` has taken the place of the former when it fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), &'static str> {
    /// use guard_core::{async_context, async_with, swap, yield_resource};
    /// use guard_core::ReplaceError;
    ///
    /// #[async_context]
    /// async fn session(token: Option<u32>) -> Result<u32, &'static str> {
    ///     let mut token = token.ok_or("no token")?;
    ///     yield_resource!(token);
    ///     Ok(())
    /// }
    ///
    /// async_with!(handle = swap(session(Some(1)))?, {
    ///     let replaced = handle.try_replace(session(None)).await;
    ///     assert_eq!(replaced, Err(ReplaceError::Enter("no token")));
    ///     assert_eq!(*handle.current(), 1);
    /// });
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ReplaceError`] says.
    ///
    /// # Cancellation
    ///
    /// As for [`replace`](Self::replace).
    #[allow(
        clippy::missing_panics_doc,
        reason = "what is expected to be there is there in every use"
    )]
    pub async fn try_replace(&self, next: C) -> Result<(), ReplaceError<C::Error>> {
        let entered = Entering::new(next).await;
        let (context, nest) = entered.map_err(ReplaceError::Enter)?;
        let next = Readable::new(Entered::by_handle(self, &self.beside_list, context, nest));
        let former = lock(&self.current).replace(next);
        let mut former = Former {
            shared: Some(former.expect("there is one in a use")),
        };
        if let Err(panic) = former.end_beside() {
            panic.resume();
        }
        let mut exiting = poll_fn(|cx| former.poll_alone(cx)).await;
        let exited = poll_fn(|cx| exiting.poll(cx, Outcome::Completed)).await;
        exited.map_err(|error| ReplaceError::Exit(exiting.end_failed(error)))
    }
}

impl<C> SwapResource<C>
where
    C: AsyncContext,
{
    fn current_mut(&mut self) -> &mut Option<Readable<C>> {
        match self.current.get_mut() {
            Ok(current) => current,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

impl<C> Readable<C>
where
    C: AsyncContext,
{
    fn new(entered: Entered<C>) -> Self {
        Self {
            entered: Arc::new(entered),
            readers: Arc::default(),
        }
    }
}

/// A context that was replaced, while it is read.
struct Former<C>
where
    C: AsyncContext,
{
    /// `None` when nobody reads it any more.
    shared: Option<Readable<C>>,
}

impl<C> Former<C>
where
    C: AsyncContext,
{
    /// Drops what goes on beside it: it is not the current one any more.
    fn end_beside(&self) -> Result<(), Panic> {
        let shared = self.shared.as_ref();
        shared.map_or(Ok(()), |shared| shared.entered.end_beside())
    }

    /// Ready when the last reader is gone.
    fn poll_alone(&mut self, cx: &Context<'_>) -> Poll<Exiting<C>> {
        let shared = self.shared.as_ref().expect("it is not alone yet");
        ready!(shared.readers.poll_none(cx));
        let shared = self.shared.take();
        let entered = shared.and_then(|shared| Arc::into_inner(shared.entered));
        Poll::Ready(entered.expect("nobody reads it").exiting())
    }
}

impl<C> Drop for Former<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        // Nobody waits for those who read. The last of them drops it.
        if let Some(shared) = self.shared.take() {
            shared.entered.tell(Outcome::Completed);
        }
    }
}

impl<C> fmt::Debug for SwapResource<C>
where
    C: AsyncContext<Resource: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}

impl<C> fmt::Debug for Swap<C>
where
    C: AsyncContext,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swap").finish_non_exhaustive()
    }
}

impl<C> Swap<C>
where
    C: AsyncContext,
{
    /// Looks at the context, if it is not lent.
    fn look<U>(&self, look: impl FnOnce(&C) -> U) -> Option<U> {
        match &self.first {
            Some(first) => Some(look(first)),
            None => self.exiting.look(look),
        }
    }

    /// Ends the lending.
    fn take_back(&mut self) -> &mut Exiting<C> {
        if let Some(shared) = self.lent.current_mut().take() {
            // All who read borrow the handle, so they are gone, or were leaked and are never.
            match Arc::into_inner(shared.entered) {
                Some(entered) => self.exiting = entered.exiting(),
                None => ReportSource::<C::Error>::of_type::<C>().report(ReportKind::Abandoned),
            }
        }
        &mut self.exiting
    }
}

// The contexts lie in boxes of their own.
impl<C> Unpin for Swap<C> where C: AsyncContext {}

impl<C> Drop for Swap<C>
where
    C: AsyncContext,
{
    fn drop(&mut self) {
        drop_context(&mut self.nest, &mut || self.first = None);
    }
}

#[diagnostic::do_not_recommend]
impl<C> AsyncContext for Swap<C>
where
    C: AsyncContext,
{
    type Resource = SwapResource<C>;
    type Error = C::Error;

    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.enter();
        let first = this.first.as_mut().expect("it is not entered");
        let entered = this.nest.during(|| first.as_mut().poll_enter(cx));
        if let Err(error) = ready!(entered) {
            // The use waits for what is left.
            this.nest = Nest::new();
            this.order.end();
            return Poll::Ready(Err(error));
        }
        this.runtime = Some(first.runtime());
        this.order.entered();
        let first = this.first.take().expect("it was just polled");
        let driver = |shared: &_| {
            let handle_side = &mut this.lent.beside_list;
            this.beside_list.add(handle_side, Arc::downgrade(shared));
        };
        let entered = Entered::new(first, core::mem::take(&mut this.nest), Some(driver));
        *lock(&this.lent.current) = Some(Readable::new(entered));
        Poll::Ready(Ok(()))
    }

    fn resource(self: Pin<&mut Self>) -> &mut SwapResource<C> {
        let this = self.get_mut();
        this.order.lend();
        this.beside_list.lend();
        &mut this.lent
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome,
    ) -> Poll<Result<(), C::Error>> {
        let this = self.get_mut();
        this.order.exit();
        let exited = ready!(this.take_back().poll(cx, outcome));
        this.order.end();
        Poll::Ready(exited)
    }

    fn tell(self: Pin<&mut Self>, outcome: Outcome) -> Option<Outcome> {
        self.get_mut().take_back().tell(outcome)
    }

    fn beside(self: Pin<&mut Self>, _: Ask) -> Option<BesidePtr> {
        let Self {
            lent, beside_list, ..
        } = self.get_mut();
        Some(beside_list.beside(lent, |lent| &mut lent.beside_list))
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<C::Error> {
        let this = self.get_mut();
        match this.lent.current_mut() {
            // All who read borrow the handle, so they are gone, or were leaked.
            Some(current) => Arc::get_mut(&mut current.entered)?.failure(ask),
            None => this.exiting.failure(ask),
        }
    }

    fn runtime(&self) -> RuntimeId {
        // A context that is lent cannot be asked.
        let runtime = self.look(AsyncContext::runtime).or(self.runtime);
        runtime.unwrap_or_else(|| Runtime::current().id())
    }

    fn poll_wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> WaitLimit {
        if let Some(first) = &mut self.first {
            return first.as_mut().poll_wait(cx);
        }
        self.get_mut().take_back().poll_wait(cx)
    }

    fn report_source(&self) -> ReportSource<C::Error> {
        let source = self.look(AsyncContext::report_source);
        let lent = || {
            let current = lock(&self.lent.current);
            current
                .as_ref()
                .map(|shared| shared.entered.report_source())
        };
        source
            .or_else(lent)
            .unwrap_or_else(ReportSource::of_type::<C>)
    }

    fn report(&self, kind: ReportKind<'_, C::Error>) {
        if self.look(|context| context.report(kind)).is_none() {
            self.report_source().report(kind);
        }
    }
}
