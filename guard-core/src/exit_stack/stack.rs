//! The stack, in its two forms.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::adopted::Adopted;
use super::core::{Key, Keyed, Stack, exit_entry};
use super::course::{Catching, Course, Plain, StackMode};
use super::entry::{CallEntry, CatchEntry, ContextEntry, Entry};
use super::errors::ExitErrors;
use super::late::{Late, StackClosed};
use crate::cleanup::{Exit, Nest, Runtime, drop_owned, hand_off};
use crate::context::FromContext;
use crate::guard::Entering;
#[cfg(feature = "std")]
use crate::platform::panics::Panic;
use crate::platform::panics::catch;
use crate::raw::Held;
use crate::report::{Identity, describe_debug};
use crate::{AsyncContext, Outcome, nullcontext};

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
            stack: Stack::new(Identity::here::<Self>(describe_debug)),
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
            stack: Stack::new(Identity::here::<Self>(describe_debug)),
        }
    }
}

impl<E: fmt::Debug> Default for ScopedExitStack<'_, E> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! methods {
    (
        impl [$($generics:tt)*] $name:ty, catching $catching:ty, [$($catching_generics:tt)*]
        where [$($where:tt)*], [$($catching_where:tt)*],
        entries $object:ty, $catching_object:ty: [$($bound:tt)+];
    ) => {
        impl<$($generics)*> $name
        where
            $($where)*
        {
            /// Enters a context and lends its resource, for as long as the stack is not changed otherwise:
            /// the resources of several entries can be in use at the same time.
            ///
            /// A context that cannot fail is added as `context.with_error::<E>()`. Python:
            /// `enter_async_context`.
            ///
            /// # Errors
            ///
            /// The context could not be entered; nothing was added.
            ///
            /// # Cancellation
            ///
            /// Dropping the future drops the context while it is being entered. It is on the stack from the
            /// very poll in which it has been entered.
            pub async fn enter<C>(&self, context: C) -> Result<&mut C::Resource, E>
            where
                C: AsyncContext + $($bound)+,
                C::Resource: $($bound)+,
                E: FromContext<C::Error>,
            {
                let (context, nest) = Entering::<C, ()>::new(context).await?;
                let identity = context.identity().with_error(self.stack.identity.describe);
                let key = self.stack.next_key();
                Ok(self.stack.shelf.lend(Held::new(context), |held| {
                    let entry = ContextEntry::new(held, identity);
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<$object>>
                }))
            }

            /// Adds a value that is there already, with its asynchronous release, and lends it.
            #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
            pub fn adopt<T, F, Fut>(&self, value: T, release: F) -> &mut T
            where
                T: $($bound)+,
                F: FnOnce(T) -> Fut + $($bound)+,
                Fut: Future<Output = Result<(), E>> + $($bound)+,
            {
                let adopted = Adopted::new(value, release, self.stack.identity);
                self.lend(adopted)
            }

            /// Adds a value that cleans up when it is dropped, to be dropped in its turn, and lends it.
            ///
            /// Python: `enter_context`.
            #[allow(clippy::mut_from_ref, reason = "it lies in a box of its own")]
            pub fn keep<T>(&self, value: T) -> &mut T
            where
                T: $($bound)+,
            {
                // An entry is dropped when it has been exited.
                self.lend(nullcontext(value).with_error())
            }

            /// Adds an asynchronous callback. It is not told the outcome.
            ///
            /// Python: `push_async_callback`.
            pub fn defer<F, Fut>(&self, callback: F) -> Key
            where
                F: FnOnce() -> Fut + $($bound)+,
                Fut: Future<Output = Result<(), E>> + $($bound)+,
            {
                self.push(deferred(callback, self.stack.identity))
            }

            /// Adds a synchronous callback.
            ///
            /// Python: `callback`.
            pub fn callback<F>(&self, callback: F) -> Key
            where
                F: FnOnce() + $($bound)+,
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
                F: FnOnce(Outcome<M::Caught>) -> Fut + $($bound)+,
                Fut: Future<Output = Result<(), E>> + $($bound)+,
            {
                self.push(CallEntry::new(exit, self.stack.identity))
            }

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
            pub async fn release(&mut self, key: Key) -> Result<bool, E> {
                let Some(entry) = self.stack.remove(key) else {
                    return Ok(false);
                };
                let mut releasing = Releasing {
                    stack: &mut self.stack,
                    entry: Some(entry),
                };
                let mut course = Course::new(releasing.stack.identity);
                core::future::poll_fn(|cx| match &mut releasing.entry {
                    Some(entry) => exit_entry::<_, E, M>(entry, cx, &mut course),
                    None => Poll::Ready(()),
                })
                .await;
                if let Some(mut entry) = releasing.entry.take() {
                    let _left = core::mem::take(&mut entry.nest);
                    let who = entry.entry.identity();
                    if let Err(panic) = catch(|| drop(entry)) {
                        course.panicked(panic, who);
                    }
                }
                course.finish_primary(&mut Vec::new()).map(|()| true)
            }

            /// Moves all entries to a new stack, and with them their keys and the handles; this one is empty
            /// then, and closing it does nothing.
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

            pub(super) fn identity(&self) -> Identity<E> {
                self.stack.identity
            }

            fn lend<C>(&self, entered: C) -> &mut C::Resource
            where
                C: AsyncContext<Error = E> + $($bound)+,
                C::Resource: $($bound)+,
            {
                let identity = self.stack.identity;
                let key = self.stack.next_key();
                self.stack.shelf.lend(Held::new(Box::pin(entered)), |held| {
                    let entry = ContextEntry::new(held, identity);
                    Box::new(Keyed::new(key, Nest::new(), entry)) as Box<Keyed<$object>>
                })
            }

            fn push(&self, entry: impl Entry<E, M> + $($bound)+) -> Key {
                let key = self.stack.next_key();
                self.stack.shelf.push(Box::new(Keyed::new(key, Nest::new(), entry)));
                key
            }
        }

        impl<$($catching_generics)*> $catching
        where
            $($catching_where)*
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
            pub async fn enter_catch<C>(&self, context: C) -> Result<&mut C::Resource, E>
            where
                C: AsyncContext<E, Error = E> + $($bound)+,
                C::Resource: $($bound)+,
            {
                let (context, nest) = Entering::<C, E>::new(context).await?;
                let identity = context.identity();
                let key = self.stack.next_key();
                Ok(self.stack.shelf.lend(Held::new(context), |held| {
                    let entry = CatchEntry(ContextEntry::new(held, identity));
                    Box::new(Keyed::new(key, nest, entry)) as Box<Keyed<$catching_object>>
                }))
            }
        }
    };
}

/// A callback as an entry: the release of nothing.
#[allow(clippy::type_complexity, reason = "the closure has no name")]
fn deferred<E, F, Fut>(
    callback: F,
    identity: Identity<E>,
) -> ContextEntry<Adopted<(), impl FnOnce(()) -> Fut + use<E, F, Fut>, Fut, E>, (), E>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    let adopted = Adopted::new((), move |()| callback(), identity);
    ContextEntry::new(Held::new(Box::pin(adopted)), identity)
}

methods! {
    impl [E, M] AsyncExitStack<E, M>, catching AsyncExitStack<E, Catching>, [E]
    where [E: Send + 'static, M: StackMode<E> + 'static], [E: Send + 'static],
    entries Owned<E, M>, Owned<E, Catching>: [Send + 'static];
}

methods! {
    impl ['a, E, M] ScopedExitStack<'a, E, M>, catching ScopedExitStack<'a, E, Catching>, ['a, E]
    where [E: 'a, M: StackMode<E> + 'a], [E: 'a],
    entries Borrowed<'a, E, M>, Borrowed<'a, E, Catching>: ['a];
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
            identity: self.stack.identity,
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
        let who = left.stack.identity.who();
        let left: Pin<Box<dyn Exit + Send>> = Box::pin(left);
        if self.is_context {
            hand_off(left, who, &runtime);
        } else {
            drop_owned(|| hand_off(left, who, &runtime));
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
        panic.report_to(self.stack.identity);
    }
}

/// Adds entries to an [`AsyncExitStack`] from elsewhere: see [`handle`](AsyncExitStack::handle).
pub struct StackHandle<E, M = Plain>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    late: Late<Keyed<Owned<E, M>>>,
    identity: Identity<E>,
}

impl<E, M> Clone for StackHandle<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn clone(&self) -> Self {
        Self {
            late: self.late.clone(),
            identity: self.identity,
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
            let entry = deferred(callback, self.identity);
            let key = Key::LATE;
            Some(Box::new(Keyed::new(key, Nest::new(), entry)) as Box<Keyed<Owned<E, M>>>)
        });
        match callback {
            None => Ok(()),
            Some(callback) => Err(StackClosed(callback)),
        }
    }
}
