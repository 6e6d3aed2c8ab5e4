//! The stack that owns what is on it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::convert::identity;
use core::fmt;
use core::future::Future;
use core::ops::{Index, IndexMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;

use super::adopted::Adopted;
use super::enter::{EnterKeyed, EnterLent, EnterOnStack};
use super::entry::{CallEntry, CatchEntry, ContextEntry, NOT_DRIVEN, StackEntry, deferred};
use super::keyed::{EntryKey, KeyedEntry};
use super::release::{Release, ReleasedBy};
use super::stack::{Key, Numbered, Stack, position};
use super::unwind_state::{Catching, Plain, StackMode};
use crate::adapters::NullContext;
use crate::cleanup::{Nest, Runtime};
use crate::context::FailsInto;
use crate::raw::{DriveNode, Driveable, Driven, LentContext};
use crate::report::{ReportSource, describe_debug};
use crate::using::beside_list::HandleSide;
use crate::{AsyncContext, Outcome};

/// The entries of an [`AsyncExitStack`].
pub(super) type Owned<E, M> = dyn StackEntry<E, M> + Send;
/// What goes on beside one of them.
pub(super) type OwnedBeside = dyn Driveable + Send + Sync;

/// What can be the error of an [`AsyncExitStack`]: what is `Debug + Send + 'static`.
///
/// It is implemented for every such type. A stack that is dropped is closed in the background, perhaps on another thread,
/// and errors that no caller receives are reported.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of an exit stack",
    label = "not `Debug + Send + 'static`",
    note = "for errors of any kind: `Box<dyn Error + Send + Sync>`, and not `Box<dyn Error>`",
    note = "an error of one's own needs `#[derive(Debug)]`",
    note = "entries and errors that are not `Send` can be on a `scoped_exit_stack::<{Self}>()`"
)]
pub trait StackError: fmt::Debug + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<E: fmt::Debug + Send + 'static> StackError for E {}

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
/// kept in order, in [`ExitErrors`](crate::ExitErrors).
///
/// # Panics
///
/// A panic of an entry goes on when all entries have been exited.
///
/// # Cancellation
///
/// A stack that is dropped, also in the middle of being closed, is closed in the background with
/// [`Outcome::Cancelled`], as a guaranteed context would be. [`ScopedExitStack`](crate::ScopedExitStack) is for entries that
/// borrow.
///
/// A context that is dropped while it is being entered is not on the stack, and a stack that is owned does
/// not wait for it. Where that order matters, as in a constructor, fill the stack in
/// `async_with!(stack = exit_stack()?, { … })`, which waits, and end with [`pop_all`](Self::pop_all).
#[must_use = "an exit stack does its work when it is closed: `.close(outcome).await`"]
pub struct AsyncExitStack<E, M = Plain>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    pub(super) stack: Stack<Owned<E, M>, E>,
    /// What goes on beside the entries, in a use.
    pub(super) beside_list: HandleSide<OwnedBeside>,
    pub(super) runtime: Runtime,
    /// It is the context of a use, not owned by itself.
    pub(super) is_context: bool,
    /// Hands off the exit of the entries, which can be sent. Only the constructors ask for that: if a bound of the type is not
    /// met, rustc says so at each expression of the type.
    pub(super) hand_off: fn(&mut Self),
}

// Each entry runs under a catch of its own, and an entry that has panicked is never used again.
impl<E, M> UnwindSafe for AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
}

impl<E, M> RefUnwindSafe for AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
}

impl<E> AsyncExitStack<E>
where
    E: 'static,
{
    /// An empty stack. It does not allocate until something is added.
    ///
    /// If nothing else tells the type of its error, such as the field of a struct, it is written:
    /// `AsyncExitStack::<Error>::new()`.
    #[track_caller]
    pub fn new() -> Self
    where
        E: StackError,
    {
        Self::with_mode()
    }
}

impl<E> AsyncExitStack<E, Catching>
where
    E: 'static,
{
    /// An empty stack that is given the error with which its use failed, so that entries can swallow or
    /// replace it.
    #[track_caller]
    pub fn catching() -> Self
    where
        E: StackError,
    {
        Self::with_mode()
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    #[track_caller]
    fn with_mode() -> Self
    where
        E: fmt::Debug,
    {
        Self::of(ReportSource::here::<Self>(describe_debug))
    }

    pub(super) fn of(source: ReportSource<E>) -> Self {
        Self {
            stack: Stack::new(source),
            beside_list: HandleSide::nowhere(),
            runtime: Runtime::current(),
            is_context: false,
            hand_off: Self::hand_off,
        }
    }
}

impl<E> Default for AsyncExitStack<E>
where
    E: StackError,
{
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    /// Enters a context and lends its resource, for as long as the stack is not changed otherwise: the
    /// resources of several entries can be in use at the same time.
    ///
    /// A context that cannot fail is added as `context.with_error::<E>()`. To have the resource again later, and in
    /// a struct beside the stack: [`enter_keyed`](Self::enter_keyed). Python: `enter_async_context`.
    ///
    /// What goes on [beside](crate::yield_resource#beside-the-block) the context is driven by the use that lends the
    /// stack. If it fails, it ends the block of that use.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Panics
    ///
    /// Something goes on beside the context, and the stack is not one that a use lends, or the use has no error.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the context while it is being entered. It is on the stack from the very
    /// poll in which it has been entered.
    #[doc(alias = "enter_async_context")]
    pub fn enter<C>(&self, context: C) -> EnterLent<'_, Self, C, (), E>
    where
        C: AsyncContext + FailsInto<E> + Send,
        C: 'static, // it borrows? `scoped_exit_stack`
        C::Resource: Send + 'static,
    {
        EnterOnStack::new(self, context, C::into_error, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            let lent = this.lend_out(context);
            this.stack.entries.lend(lent, |kept| {
                let entry = ContextEntry::new(kept, source);
                Box::new(Numbered::new(key, nest, entry)) as Box<Numbered<Owned<E, M>>>
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
    /// What goes on [beside](crate::yield_resource#beside-the-block) the context is driven by the use that lends the
    /// stack. If it fails, it ends the block of that use.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Panics
    ///
    /// Something goes on beside the context, and the stack is not one that a use lends, or the use has no error.
    ///
    /// # Cancellation
    ///
    /// As for [`enter`](Self::enter).
    pub fn enter_keyed<C>(&self, context: C) -> EnterKeyed<'_, Self, C, E>
    where
        C: AsyncContext + FailsInto<E> + Send,
        C: 'static, // it borrows? `scoped_exit_stack`
        C::Resource: Send + 'static,
    {
        EnterOnStack::new(self, context, C::into_error, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            let entry = KeyedEntry::<C, E>::new(this.lend_out(context), source);
            this.stack
                .entries
                .push(Box::new(Numbered::new(key, nest, entry)));
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
        self.stack.entries.look(
            |entries| position(entries, key),
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

    /// Exits one entry early, with [`Outcome::Completed`]. `false`: there is no such entry any more.
    ///
    /// What goes on [beside](crate::yield_resource#beside-the-block) it is dropped first.
    ///
    /// It takes longer the more entries are above this one, because each of them moves down by one place: some microseconds for ten
    /// thousand.
    ///
    /// No resource of the stack may be in use: what is lent borrows the stack, so releasing while one
    /// is does not compile. What goes early while others stay in use is better entered by itself, with
    /// [`AsyncContext::enter`](crate::AsyncContext::enter).
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
    /// Dropping the future puts the entry back, to be the next to be exited. An exit that has begun goes on from there, also
    /// while the use of the stack waits for what its block has dropped. If its exit has failed already, that is
    /// [reported](crate::set_reporter).
    pub fn release(&mut self, key: impl ReleasedBy) -> Release<'_, Owned<E, M>, E, M> {
        Release::new(&mut self.stack, key.into())
    }

    /// Adds a value that is there already, with its asynchronous release, and lends it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// use guard_core::{async_with, exit_stack};
    ///
    /// async_with!(stack = exit_stack::<std::io::Error>()?, {
    ///     let lines = stack.adopt(vec!["hello"], async |lines: Vec<&str>| {
    ///         assert_eq!(lines, ["hello", "goodbye"]);
    ///         Ok(())
    ///     });
    ///     lines.push("goodbye");
    /// });
    /// # Ok(()) }
    /// ```
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
    #[doc(alias = "enter_context")]
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
    #[doc(alias = "push_async_callback")]
    pub fn defer<F, Fut>(&self, callback: F) -> Key
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static, // not asynchronous? use `callback`
    {
        self.add(deferred(callback, self.stack.source))
    }

    /// Adds a synchronous callback.
    ///
    /// Python: `callback`.
    pub fn callback<F>(&self, callback: F) -> Key
    where
        F: FnOnce() + Send + 'static, // asynchronous? use `defer`
    {
        self.defer(move || {
            callback();
            // Not `ready(Ok(()))`, which is `Send` only if the error is.
            async { Ok(()) }
        })
    }

    /// Adds an asynchronous callback that is told the outcome as it then stands.
    ///
    /// On a stack that catches it is given the error too, and decides: `Ok` swallows it, `Err` raises
    /// it or another. Python: `push_async_exit`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// use guard_core::{Outcome, async_with, exit_stack};
    ///
    /// async_with!(stack = exit_stack::<std::io::Error>()?, {
    ///     stack.push_exit(async |outcome: Outcome| {
    ///         println!("{}", if outcome.is_completed() { "commit" } else { "roll back" });
    ///         Ok(())
    ///     });
    /// });
    /// # Ok(()) }
    /// ```
    #[doc(alias = "push_async_exit")]
    pub fn push_exit<F, Fut>(&self, exit: F) -> Key
    where
        F: FnOnce(Outcome<M::Caught>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        self.add(CallEntry::new(exit, self.stack.source))
    }

    fn lend<C>(&self, entered: C) -> &mut C::Resource
    where
        C: AsyncContext<Error = E> + Send + 'static,
        C::Resource: Send + 'static,
    {
        let source = self.stack.source;
        let key = self.stack.next_key();
        let lent = LentContext::alone(Box::pin(entered));
        self.stack.entries.lend(lent, |kept| {
            let entry = ContextEntry::new(kept, source);
            Box::new(Numbered::new(key, Nest::new(), entry)) as Box<Numbered<Owned<E, M>>>
        })
    }

    /// Keeps an entered context. What goes on beside it is driven beside the block that has the stack.
    fn lend_out<C, X>(&self, context: Pin<Box<C>>) -> LentContext<C, X>
    where
        C: AsyncContext<X> + Send + 'static,
        C::Resource: Send,
        X: 'static,
    {
        let driver = self.beside_list.driver(self).map(|add| {
            move |driven: &Arc<DriveNode<Driven<C, X>>>| {
                let driven = Arc::downgrade(driven);
                add(driven);
            }
        });
        LentContext::new(context, driver, NOT_DRIVEN)
    }

    fn add(&self, entry: impl StackEntry<E, M> + Send + 'static) -> Key {
        let key = self.stack.next_key();
        self.stack
            .entries
            .push(Box::new(Numbered::new(key, Nest::new(), entry)));
        key
    }
}

impl<E> AsyncExitStack<E, Catching>
where
    E: 'static,
{
    /// Enters a context that catches: when the stack is closed it is offered the error as it then
    /// stands, and swallows, replaces or raises it.
    ///
    /// What goes on [beside](crate::yield_resource#beside-the-block) the context is driven by the use that lends the
    /// stack. If it fails, it ends the block of that use.
    ///
    /// # Errors
    ///
    /// The context could not be entered; nothing was added.
    ///
    /// # Panics
    ///
    /// Something goes on beside the context, and the stack is not one that a use lends, or the use has no error.
    ///
    /// # Cancellation
    ///
    /// As for [`enter`](Self::enter).
    pub fn enter_catch<C>(&self, context: C) -> EnterLent<'_, Self, C, E, E>
    where
        C: AsyncContext<E, Error = E> + Send,
        C: 'static, // it borrows? `scoped_exit_stack`
        C::Resource: Send + 'static,
    {
        EnterOnStack::new(self, context, identity, |this, context, nest| {
            let source = context.report_source();
            let key = this.stack.next_key();
            let lent = this.lend_out(context);
            this.stack.entries.lend(lent, |kept| {
                let entry = CatchEntry(ContextEntry::new(kept, source));
                Box::new(Numbered::new(key, nest, entry)) as Box<Numbered<Owned<E, Catching>>>
            })
        })
    }
}

impl<E, M, R> Index<&EntryKey<R>> for AsyncExitStack<E, M>
where
    E: 'static,
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
    E: 'static,
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
