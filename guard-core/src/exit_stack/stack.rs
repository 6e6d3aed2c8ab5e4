//! The stack, in its two forms.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::ops::{Index, IndexMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::adopted::Adopted;
use super::core::{Key, Keyed, Stack, exit_entry};
use super::course::{Catching, Course, Plain, StackMode};
use super::enter::{EnterKeyed, EnterLent, EnterOnStack};
use super::entry::{CallEntry, CatchEntry, ContextEntry, Entry};
use super::errors::ExitErrors;
use super::keyed::{EntryKey, KeyedEntry};
use super::late::{Late, StackClosed};
use crate::adapters::NullContext;
use crate::cleanup::{Exit, Nest, Runtime, drop_owned, hand_off};
use crate::context::FromContext;
#[cfg(feature = "std")]
use crate::platform::panics::Panic;
use crate::platform::panics::catch;
use crate::raw::Held;
use crate::report::{ReportSource, describe_debug};
use crate::{AsyncContext, Outcome};

/// The entries of an [`AsyncExitStack`].
type Owned<E, M> = dyn Entry<E, M> + Send;
/// The entries of a [`ScopedExitStack`].
type Borrowed<'a, E, M> = dyn Entry<E, M> + 'a;

/// Contexts and clean-ups that are added at run time, and exited last in, first out.
///
/// For what no nesting of blocks can say: contexts entered conditionally, in loops, in a constructor.
/// [`exit_stack`](crate::exit_stack) makes a context of one, which closes it in the end; a stack that is
/// owned, say in a struct, is closed by hand.
///
/// Python: `AsyncExitStack`.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), std::io::Error> {
/// use guard_core::{async_context, async_with, exit_stack, yield_resource};
///
/// #[async_context]
/// async fn buffer(name: &'static str) -> Result<String, std::io::Error> {
///     let mut text = String::from(name);
///     yield_resource!(text);
///     println!("{text}");
///     Ok(())
/// }
///
/// async_with!(stack = exit_stack::<std::io::Error>()?, {
///     let first = stack.enter(buffer("first")).await?;
///     let second = stack.enter(buffer("second")).await?;
///     // Both are in use at the same time.
///     first.push_str(second);
///     stack.defer(async || {
///         println!("before the buffers");
///         Ok(())
///     });
/// });
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Every entry is exited exactly once, whatever the others do. Their errors convert into `E`; all are
/// kept in order, in [`ExitErrors`].
///
/// # Panics
///
/// A panic of an entry goes on when all entries have been exited.
///
/// # Cancellation
///
/// A stack that is dropped, also in the middle of being closed, is closed in the background with
/// [`Outcome::Cancelled`], as a guaranteed context would be. [`ScopedExitStack`] is for entries that
/// borrow.
///
/// A context that is dropped while it is being entered is not on the stack, and a stack that is owned does
/// not wait for it. Where that order matters, as in a constructor, fill the stack in
/// `async_with!(stack = exit_stack()?, { … })`, which waits, and end with [`pop_all`](Self::pop_all).
#[must_use = "an exit stack does its work when it is closed: `.close(outcome).await`"]
pub struct AsyncExitStack<E, M = Plain>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    stack: Stack<Owned<E, M>, E>,
    runtime: Runtime,
    /// It is the context of a use, not owned by itself.
    is_context: bool,
}

/// [`AsyncExitStack`] for entries that borrow, or are not `Send`.
///
/// When it is dropped, its entries are dropped where they stand, the last first, and that is
/// [reported](crate::set_reporter).
#[must_use = "an exit stack does its work when it is closed: `.close(outcome).await`"]
pub struct ScopedExitStack<'a, E, M = Plain>
where
    M: StackMode<E>,
{
    stack: Stack<Borrowed<'a, E, M>, E>,
}

// Each entry runs under a catch of its own, and an entry that has panicked is never used again.
impl<E, M> UnwindSafe for AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
}

impl<E, M> RefUnwindSafe for AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
}

impl<E, M: StackMode<E>> UnwindSafe for ScopedExitStack<'_, E, M> {}

impl<E, M: StackMode<E>> RefUnwindSafe for ScopedExitStack<'_, E, M> {}

impl<E> AsyncExitStack<E>
where
    E: fmt::Debug + Send + 'static,
{
    /// An empty stack. It does not allocate until something is added.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_mode()
    }
}

impl<E> AsyncExitStack<E, Catching>
where
    E: fmt::Debug + Send + 'static,
{
    /// An empty stack that is given the error with which its use failed, so that entries can swallow or
    /// replace it.
    #[track_caller]
    pub fn catching() -> Self {
        Self::with_mode()
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: fmt::Debug + Send + 'static,
    M: StackMode<E> + 'static,
{
    #[track_caller]
    pub(super) fn with_mode() -> Self {
        Self {
            stack: Stack::new(ReportSource::here::<Self>(describe_debug)),
            runtime: Runtime::current(),
            is_context: false,
        }
    }
}

impl<E> Default for AsyncExitStack<E>
where
    E: fmt::Debug + Send + 'static,
{
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<E: fmt::Debug> ScopedExitStack<'_, E> {
    /// An empty stack. It does not allocate until something is added.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_mode()
    }
}

impl<E: fmt::Debug> ScopedExitStack<'_, E, Catching> {
    /// An empty stack that is given the error with which its use failed.
    #[track_caller]
    pub fn catching() -> Self {
        Self::with_mode()
    }
}

impl<E: fmt::Debug, M: StackMode<E>> ScopedExitStack<'_, E, M> {
    #[track_caller]
    pub(super) fn with_mode() -> Self {
        Self {
            stack: Stack::new(ReportSource::here::<Self>(describe_debug)),
        }
    }
}

impl<E: fmt::Debug> Default for ScopedExitStack<'_, E> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// What both forms have and what asks for nothing. The methods with bounds are written out, twice: rustc quotes a
/// bound that a caller does not meet, and would quote this macro.
macro_rules! methods {
    (impl [$($generics:tt)*] $name:ty where [$($where:tt)*];) => {
        impl<$($generics)*> $name
        where
            $($where)*
        {
            /// The key of the entry that was added last, also by [`enter`](Self::enter), which lends instead.
            pub fn last_key(&self) -> Option<Key> {
                self.stack.last_key()
            }

            /// Exits one entry early, with [`Outcome::Completed`]. `false`: there is no such entry any more.
            ///
            /// No resource of the stack may be in use: what is lent borrows the stack, so releasing while one
            /// is does not compile. What goes early while others stay in use is better entered by itself, with
            /// [`AsyncContext::enter`].
            ///
            /// # Errors
            ///
            /// The entry's exit failed.
            ///
            /// # Panics
            ///
            /// A panic of the entry goes on.
            ///
            /// # Cancellation
            ///
            /// Dropping the future puts the entry back, to be the next to be exited.
            pub async fn release(&mut self, key: impl Into<Key>) -> Result<bool, E> {
                let Some(entry) = self.stack.remove(key.into()) else {
                    return Ok(false);
                };
                let mut releasing = Releasing {
                    stack: &mut self.stack,
                    entry: Some(entry),
                };
                let mut course = Course::new(releasing.stack.source);
                core::future::poll_fn(|cx| match &mut releasing.entry {
                    Some(entry) => exit_entry::<_, E, M>(entry, cx, &mut course),
                    None => Poll::Ready(()),
                })
                .await;
                if let Some(mut entry) = releasing.entry.take() {
                    let _left = core::mem::take(&mut entry.nest);
                    let source = entry.entry.report_source();
                    if let Err(panic) = catch(|| drop(entry)) {
                        course.panicked(panic, source);
                    }
                }
                course.finish_primary(&mut Vec::new()).map(|()| true)
            }

            /// Moves all entries to a new stack, and with them their keys and the handles; this one is empty
            /// then, and closing it does nothing. A key is one of the new stack from then on: it is looked up
            /// there, and is of no entry here.
            ///
            /// Python: `pop_all`.
            pub fn pop_all(&mut self) -> Self {
                self.take()
            }

            /// Exits all entries, last in first out, those included that are added meanwhile. The stack is
            /// empty then, and can be used again.
            ///
            /// Python: `aclose`, which is always told that all went well.
            ///
            /// # Errors
            ///
            /// All errors of the entries, in the order in which they happened; on a stack that catches, also
            /// that of the outcome, unless it was swallowed.
            ///
            /// # Panics
            ///
            /// With the first panic of an entry, when all have been exited.
            ///
            /// # Cancellation
            ///
            /// Dropping the future keeps what is left, and the entry that is being exited stays half-way: the
            /// next `close` goes on from there, with the outcome of the first; an error that the next one is told
            /// is added. If the stack is dropped instead,
            /// the entry goes on, and the others are told `Cancelled`.
            pub async fn close(&mut self, outcome: Outcome<M::Caught>) -> Result<(), ExitErrors<E>> {
                let mut outcome = Some(outcome);
                let course = core::future::poll_fn(|cx| self.poll_close(cx, &mut outcome)).await;
                course.finish(&mut Vec::new())
            }

            /// Exits all entries, as [`close`](Self::close) does with [`Outcome::Completed`], and ends the stack.
            ///
            /// Python: `aclose`.
            ///
            /// # Errors
            ///
            /// The error of the entry that failed first. The others are [reported](crate::set_reporter);
            /// [`close`](Self::close) returns them all.
            ///
            /// # Panics
            ///
            /// With the first panic of an entry, when all have been exited. Their errors are reported then.
            ///
            /// # Cancellation
            ///
            /// Dropping the future drops the stack, whose remaining entries are told
            /// [`Cancelled`](Outcome::Cancelled).
            pub async fn aclose(mut self) -> Result<(), E> {
                let mut outcome = Some(Outcome::Completed);
                let course = core::future::poll_fn(|cx| self.poll_close(cx, &mut outcome)).await;
                course.finish_primary(&mut Vec::new())
            }

            pub(super) fn end_of_use(&mut self, outcome: Outcome<M::Caught>) {
                self.stack.end_of_use::<M>(outcome);
            }

            pub(super) fn poll_close(
                &mut self,
                cx: &mut Context<'_>,
                outcome: &mut Option<Outcome<M::Caught>>,
            ) -> Poll<Course<E>> {
                if let Some(outcome) = outcome.take() {
                    self.stack.begin::<M>(outcome);
                }
                self.stack.poll_course::<M>(cx)
            }

            pub(super) fn report_source(&self) -> ReportSource<E> {
                self.stack.source
            }
        }
    };
}

/// A callback as an entry: the release of nothing.
#[allow(clippy::type_complexity, reason = "the closure has no name")]
fn deferred<E, F, Fut>(
    callback: F,
    source: ReportSource<E>,
) -> ContextEntry<Adopted<(), impl FnOnce(()) -> Fut + use<E, F, Fut>, Fut, E>, (), E>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    let adopted = Adopted::new((), move |()| callback(), source);
    ContextEntry::new(Held::new(Box::pin(adopted)).into(), source)
}

methods! {
    impl [E, M] AsyncExitStack<E, M> where [E: Send + 'static, M: StackMode<E> + 'static];
}

methods! {
    impl ['a, E, M] ScopedExitStack<'a, E, M> where [E: 'a, M: StackMode<E> + 'a];
}

impl<E, M> AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    /// Enters a context and lends its resource, for as long as the stack is not changed otherwise: the
    /// resources of several entries can be in use at the same time.
    ///
    /// A context that cannot fail is added as `context.with_error::<E>()`. To have the resource again later, and in
    /// a struct beside the stack: [`enter_keyed`](Self::enter_keyed). Python: `enter_async_context`.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being entered. It is on the stack from the very
    /// poll in which it has been entered.
    pub fn enter<C>(&self, context: C) -> EnterLent<'_, Self, C, (), E>
    where
        C: AsyncContext + Send + 'static,
        C::Resource: Send + 'static,
        E: FromContext<C::Error>,
    {
        EnterOnStack::new(self, context, E::from, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            this.stack
                .shelf
                .lend(Held::without_beside(context, "an exit stack"), |held| {
                    let entry = ContextEntry::new(held, source);
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<Owned<E, M>>>
                })
        })
    }

    /// Enters a context and gives a key, by which its resource is had as often as one likes: `stack[&key]`.
    ///
    /// So a struct can own a stack, open sessions in it, and close them all later:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// use guard_core::{AsyncExitStack, EntryKey, async_context, async_with, exit_stack, yield_resource};
    /// use std::io;
    ///
    /// #[async_context]
    /// async fn session(name: &'static str) -> io::Result<Vec<&'static str>> {
    ///     let mut requests = vec![name];
    ///     yield_resource!(requests);
    ///     Ok(())
    /// }
    ///
    /// struct Client {
    ///     stack: AsyncExitStack<io::Error>,
    ///     users: EntryKey<Vec<&'static str>>,
    ///     orders: EntryKey<Vec<&'static str>>,
    /// }
    ///
    /// impl Client {
    ///     async fn open() -> io::Result<Self> {
    ///         // If the second cannot be entered, the first is exited.
    ///         async_with!(stack = exit_stack::<io::Error>()?, {
    ///             let users = stack.enter_keyed(session("users")).await?;
    ///             let orders = stack.enter_keyed(session("orders")).await?;
    ///             return Ok(Self { stack: stack.pop_all(), users, orders });
    ///         })
    ///     }
    ///
    ///     fn order(&mut self) -> usize {
    ///         let users = self.stack[&self.users].len();
    ///         self.stack[&self.orders].push("order");
    ///         users + self.stack[&self.orders].len()
    ///     }
    ///
    ///     async fn log_out(&mut self) -> io::Result<bool> {
    ///         self.stack.release(self.users).await
    ///     }
    ///
    ///     async fn close(self) -> io::Result<()> {
    ///         self.stack.aclose().await
    ///     }
    /// }
    ///
    /// let mut client = Client::open().await?;
    /// assert_eq!(client.order(), 3);
    /// assert!(client.log_out().await?);
    /// client.close().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// Python: `enter_async_context`, whose value is kept in `self`.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Cancellation
    ///
    /// As for [`enter`](Self::enter).
    pub fn enter_keyed<C>(&self, context: C) -> EnterKeyed<'_, Self, C, E>
    where
        C: AsyncContext + Send + 'static,
        C::Resource: Send + 'static,
        E: FromContext<C::Error>,
    {
        EnterOnStack::new(self, context, E::from, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            let entry =
                KeyedEntry::<C, E>::new(Held::without_beside(context, "an exit stack"), source);
            this.stack
                .shelf
                .push(Box::new(Keyed::new(key, nest, entry)));
            EntryKey::of::<C, E>(key)
        })
    }

    /// The resource of an entry, if it is on this stack and is not being exited. `stack[&key]` is the form
    /// that panics.
    ///
    /// It asks for `Sync`, since stacks can be shared; [`get_mut`](Self::get_mut) does not.
    pub fn get<R>(&self, key: &EntryKey<R>) -> Option<&R>
    where
        R: Sync + ?Sized,
    {
        let EntryKey { key, look, .. } = *key;
        self.stack.shelf.look(
            |entry| entry.key == key,
            |entry| entry.entry.lent().and_then(look),
        )
    }

    /// The resource of an entry, exclusively, if it is on this stack and is not being exited.
    pub fn get_mut<R>(&mut self, key: &EntryKey<R>) -> Option<&mut R>
    where
        R: ?Sized,
    {
        let entry = self.stack.find(key.key)?;
        entry.entry.lent_mut().and_then(key.look_mut)
    }

    /// Adds a value that is there already, with its asynchronous release, and lends it.
    #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
    pub fn adopt<T, F, Fut>(&self, value: T, release: F) -> &mut T
    where
        T: Send + 'static,
        F: FnOnce(T) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        let adopted = Adopted::new(value, release, self.stack.source);
        self.lend(adopted)
    }

    /// Adds a value that cleans up when it is dropped, to be dropped in its turn, and lends it.
    ///
    /// Python: `enter_context`.
    #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
    pub fn keep<T>(&self, value: T) -> &mut T
    where
        T: Send + 'static,
    {
        // An entry is dropped when it has been exited.
        self.lend(NullContext::entered(value).with_error())
    }

    /// Adds an asynchronous callback. It is not told the outcome.
    ///
    /// Python: `push_async_callback`.
    pub fn defer<F, Fut>(&self, callback: F) -> Key
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.push(deferred(callback, self.stack.source))
    }

    /// Adds a synchronous callback.
    ///
    /// Python: `callback`.
    pub fn callback<F>(&self, callback: F) -> Key
    where
        F: FnOnce() + Send + 'static,
    {
        self.defer(move || {
            callback();
            core::future::ready(Ok(()))
        })
    }

    /// Adds an asynchronous callback that is told the outcome as it then stands.
    ///
    /// On a stack that catches it is given the error too, and decides: `Ok` swallows it, `Err` raises
    /// it or another. Python: `push_async_exit`.
    pub fn push_exit<F, Fut>(&self, exit: F) -> Key
    where
        F: FnOnce(Outcome<M::Caught>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.push(CallEntry::new(exit, self.stack.source))
    }

    fn lend<C>(&self, entered: C) -> &mut C::Resource
    where
        C: AsyncContext<Error = E> + Send + 'static,
        C::Resource: Send + 'static,
    {
        let source = self.stack.source;
        let key = self.stack.next_key();
        self.stack.shelf.lend(Held::new(Box::pin(entered)), |held| {
            let entry = ContextEntry::new(held, source);
            Box::new(Keyed::new(key, Nest::new(), entry)) as Box<Keyed<Owned<E, M>>>
        })
    }

    fn push(&self, entry: impl Entry<E, M> + Send + 'static) -> Key {
        let key = self.stack.next_key();
        self.stack
            .shelf
            .push(Box::new(Keyed::new(key, Nest::new(), entry)));
        key
    }
}

impl<E> AsyncExitStack<E, Catching>
where
    E: Send + 'static,
{
    /// Enters a context that catches: when the stack is closed it is offered the error as it then
    /// stands, and swallows, replaces or raises it.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Cancellation
    ///
    /// As for [`enter`](Self::enter).
    pub fn enter_catch<C>(&self, context: C) -> EnterLent<'_, Self, C, E, E>
    where
        C: AsyncContext<E, Error = E> + Send + 'static,
        C::Resource: Send + 'static,
    {
        EnterOnStack::new(self, context, E::from, |this, context, nest| {
            let source = context.report_source();
            let key = this.stack.next_key();
            this.stack
                .shelf
                .lend(Held::without_beside(context, "an exit stack"), |held| {
                    let entry = CatchEntry(ContextEntry::new(held, source));
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<Owned<E, Catching>>>
                })
        })
    }
}

impl<E, M, R> Index<&EntryKey<R>> for AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
    R: Sync + ?Sized,
{
    type Output = R;

    /// The resource that was entered with this key.
    ///
    /// # Panics
    ///
    /// The key is of another stack, or the entry has been released. [`get`](AsyncExitStack::get) returns an `Option`.
    #[track_caller]
    fn index(&self, key: &EntryKey<R>) -> &R {
        self.get(key).unwrap_or_else(|| not_there())
    }
}

impl<E, M, R> IndexMut<&EntryKey<R>> for AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
    R: Sync + ?Sized,
{
    #[track_caller]
    fn index_mut(&mut self, key: &EntryKey<R>) -> &mut R {
        self.get_mut(key).unwrap_or_else(|| not_there())
    }
}

#[cold]
#[track_caller]
fn not_there() -> ! {
    panic!(
        "this key is of no entry of this exit stack: the entry has been released or is being exited, \
         or it is on another stack (`pop_all` moves entries, their keys go with them)"
    )
}

impl<'a, E, M> ScopedExitStack<'a, E, M>
where
    E: 'a,
    M: StackMode<E> + 'a,
{
    /// Enters a context and lends its resource, for as long as the stack is not changed otherwise: the
    /// resources of several entries can be in use at the same time.
    ///
    /// A context that cannot fail is added as `context.with_error::<E>()`. Python: `enter_async_context`.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being entered. It is on the stack from the very
    /// poll in which it has been entered.
    pub fn enter<C>(&self, context: C) -> EnterLent<'_, Self, C, (), E>
    where
        C: AsyncContext + 'a,
        C::Resource: 'a,
        E: FromContext<C::Error>,
    {
        EnterOnStack::new(self, context, E::from, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            this.stack
                .shelf
                .lend(Held::without_beside(context, "an exit stack"), |held| {
                    let entry = ContextEntry::new(held, source);
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<Borrowed<'a, E, M>>>
                })
        })
    }

    /// Adds a value that is there already, with its asynchronous release, and lends it.
    #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
    pub fn adopt<T, F, Fut>(&self, value: T, release: F) -> &mut T
    where
        T: 'a,
        F: FnOnce(T) -> Fut + 'a,
        Fut: Future<Output = Result<(), E>> + 'a,
    {
        let adopted = Adopted::new(value, release, self.stack.source);
        self.lend(adopted)
    }

    /// Adds a value that cleans up when it is dropped, to be dropped in its turn, and lends it.
    ///
    /// Python: `enter_context`.
    #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
    pub fn keep<T>(&self, value: T) -> &mut T
    where
        T: 'a,
    {
        // An entry is dropped when it has been exited.
        self.lend(NullContext::entered(value).with_error())
    }

    /// Adds an asynchronous callback. It is not told the outcome.
    ///
    /// Python: `push_async_callback`.
    pub fn defer<F, Fut>(&self, callback: F) -> Key
    where
        F: FnOnce() -> Fut + 'a,
        Fut: Future<Output = Result<(), E>> + 'a,
    {
        self.push(deferred(callback, self.stack.source))
    }

    /// Adds a synchronous callback.
    ///
    /// Python: `callback`.
    pub fn callback<F>(&self, callback: F) -> Key
    where
        F: FnOnce() + 'a,
    {
        self.defer(move || {
            callback();
            core::future::ready(Ok(()))
        })
    }

    /// Adds an asynchronous callback that is told the outcome as it then stands.
    ///
    /// On a stack that catches it is given the error too, and decides: `Ok` swallows it, `Err` raises
    /// it or another. Python: `push_async_exit`.
    pub fn push_exit<F, Fut>(&self, exit: F) -> Key
    where
        F: FnOnce(Outcome<M::Caught>) -> Fut + 'a,
        Fut: Future<Output = Result<(), E>> + 'a,
    {
        self.push(CallEntry::new(exit, self.stack.source))
    }

    fn lend<C>(&self, entered: C) -> &mut C::Resource
    where
        C: AsyncContext<Error = E> + 'a,
        C::Resource: 'a,
    {
        let source = self.stack.source;
        let key = self.stack.next_key();
        self.stack.shelf.lend(Held::new(Box::pin(entered)), |held| {
            let entry = ContextEntry::new(held, source);
            Box::new(Keyed::new(key, Nest::new(), entry)) as Box<Keyed<Borrowed<'a, E, M>>>
        })
    }

    fn push(&self, entry: impl Entry<E, M> + 'a) -> Key {
        let key = self.stack.next_key();
        self.stack
            .shelf
            .push(Box::new(Keyed::new(key, Nest::new(), entry)));
        key
    }
}

impl<'a, E: 'a> ScopedExitStack<'a, E, Catching> {
    /// Enters a context that catches: when the stack is closed it is offered the error as it then
    /// stands, and swallows, replaces or raises it.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Cancellation
    ///
    /// As for [`enter`](Self::enter).
    pub fn enter_catch<C>(&self, context: C) -> EnterLent<'_, Self, C, E, E>
    where
        C: AsyncContext<E, Error = E> + 'a,
        C::Resource: 'a,
    {
        EnterOnStack::new(self, context, E::from, |this, context, nest| {
            let source = context.report_source();
            let key = this.stack.next_key();
            this.stack
                .shelf
                .lend(Held::without_beside(context, "an exit stack"), |held| {
                    let entry = CatchEntry(ContextEntry::new(held, source));
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<Borrowed<'a, E, Catching>>>
                })
        })
    }
}

/// An entry that is being exited by itself. If that is not awaited to its end, it goes back.
struct Releasing<'s, T: ?Sized, E> {
    stack: &'s mut Stack<T, E>,
    entry: Option<Box<Keyed<T>>>,
}

impl<T: ?Sized, E> Drop for Releasing<'_, T, E> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.stack.put_back(entry);
        }
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn take(&mut self) -> Self {
        Self {
            stack: self.stack.take(),
            runtime: self.runtime.clone(),
            is_context: false,
        }
    }

    /// The stack is used here, wherever it was made.
    pub(super) fn entered(&mut self) {
        self.runtime = Runtime::current();
        self.is_context = true;
    }

    #[cfg(feature = "std")]
    pub(super) fn runtime(&self) -> crate::cleanup::RuntimeId {
        self.runtime.id()
    }

    /// Adds entries from elsewhere, also while the stack is being closed: those are exited next.
    pub fn handle(&mut self) -> StackHandle<E, M> {
        StackHandle {
            late: self.stack.late(),
            source: self.stack.source,
        }
    }
}

impl<E, M: StackMode<E>> ScopedExitStack<'_, E, M> {
    fn take(&mut self) -> Self {
        Self {
            stack: self.stack.take(),
        }
    }
}

impl<E, M> Drop for AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn drop(&mut self) {
        if self.stack.close_if_empty() {
            return;
        }
        self.hand_off();
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    /// Hands off the exit of the entries, which goes on without the stack.
    #[cold]
    fn hand_off(&mut self) {
        let mut stack = self.stack.take();
        stack.cancel();
        let left = Orphan::<E, M> {
            stack,
            _mode: core::marker::PhantomData,
        };
        let runtime = if self.runtime.is_some() {
            self.runtime.clone()
        } else {
            Runtime::current()
        };
        let identity = left.stack.source.identity();
        let left: Pin<Box<dyn Exit + Send>> = Box::pin(left);
        if self.is_context {
            hand_off(left, identity, &runtime);
        } else {
            drop_owned(|| hand_off(left, identity, &runtime));
        }
    }
}

/// A stack whose owner is gone.
struct Orphan<E, M> {
    stack: Stack<Owned<E, M>, E>,
    _mode: core::marker::PhantomData<fn() -> M>,
}

impl<E, M> Unpin for Orphan<E, M> {}

impl<E, M> Exit for Orphan<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn poll_exit(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // The panics of entries are caught one by one.
            ready!(self.stack.poll_course::<M>(cx)).finish_unheard();
            if self.stack.close_if_empty() {
                return Poll::Ready(());
            }
            self.stack.cancel();
        }
    }

    #[cfg(feature = "std")]
    fn poll_last(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.stack.poll_last::<M>(cx);
        Poll::Ready(())
    }

    #[cfg(feature = "std")]
    fn panicked(&self, panic: Panic) {
        panic.report_to(self.stack.source);
    }
}

/// Adds entries to an [`AsyncExitStack`] from elsewhere: see [`handle`](AsyncExitStack::handle).
pub struct StackHandle<E, M = Plain>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    late: Late<Keyed<Owned<E, M>>>,
    source: ReportSource<E>,
}

impl<E, M> Clone for StackHandle<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn clone(&self) -> Self {
        Self {
            late: self.late.clone(),
            source: self.source,
        }
    }
}

impl<E, M> StackHandle<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    /// Adds an asynchronous callback, the next to be called when the stack is closed, or at once if it is
    /// being closed.
    ///
    /// # Errors
    ///
    /// The stack is gone; the callback is given back uncalled.
    pub fn defer<F, Fut>(&self, callback: F) -> Result<(), StackClosed<F>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        let mut callback = Some(callback);
        self.late.push_with(|| {
            let callback = callback.take()?;
            let entry = deferred(callback, self.source);
            let key = Key::LATE;
            Some(Box::new(Keyed::new(key, Nest::new(), entry)) as Box<Keyed<Owned<E, M>>>)
        });
        match callback {
            None => Ok(()),
            Some(callback) => Err(StackClosed(callback)),
        }
    }
}
