//! The stack for entries that borrow.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::convert::identity;
use core::fmt;
use core::future::Future;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;

use super::adopted::Adopted;
use super::enter::{EnterLent, EnterOnStack};
use super::entry::{CallEntry, CatchEntry, ContextEntry, NOT_DRIVEN, StackEntry, deferred};
use super::release::{Release, ReleasedBy};
use super::stack::{Key, Numbered, Stack};
use super::unwind_state::{Catching, Plain, StackMode};
use crate::adapters::NullContext;
use crate::cleanup::Nest;
use crate::context::FailsInto;
use crate::raw::{DriveNode, Driveable, Driven, LentContext};
use crate::report::{ReportSource, describe_debug};
use crate::using::beside_list::HandleSide;
use crate::{AsyncContext, Outcome};

/// The entries of a [`ScopedExitStack`].
type Borrowed<'a, E, M> = dyn StackEntry<E, M> + 'a;

/// [`AsyncExitStack`](crate::AsyncExitStack) for entries that borrow, or are not `Send`.
///
/// When it is dropped, its entries are dropped where they stand, the last first, and that is
/// [reported](crate::set_reporter).
#[must_use = "an exit stack does its work when it is closed: `.close(outcome).await`"]
pub struct ScopedExitStack<'a, E, M = Plain>
where
    M: StackMode<E>,
{
    pub(super) stack: Stack<Borrowed<'a, E, M>, E>,
    /// What goes on beside the entries, in a use.
    pub(super) beside_list: HandleSide<dyn Driveable + 'a>,
}

// As for an `AsyncExitStack`.
impl<E, M: StackMode<E>> UnwindSafe for ScopedExitStack<'_, E, M> {}

impl<E, M: StackMode<E>> RefUnwindSafe for ScopedExitStack<'_, E, M> {}

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
            beside_list: HandleSide::nowhere(),
        }
    }
}

impl<E: fmt::Debug> Default for ScopedExitStack<'_, E> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
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
        C: AsyncContext + FailsInto<E> + 'a,
        C::Resource: 'a,
    {
        EnterOnStack::new(self, context, C::into_error, |this, context, nest| {
            let source = context
                .report_source()
                .with_error(this.stack.source.describe);
            let key = this.stack.next_key();
            let lent = this.lend_out(context);
            this.stack.entries.lend(lent, |kept| {
                let entry = ContextEntry::new(kept, source);
                Box::new(Numbered::new(key, nest, entry)) as Box<Numbered<Borrowed<'a, E, M>>>
            })
        })
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
    pub fn release(&mut self, key: impl ReleasedBy) -> Release<'_, Borrowed<'a, E, M>, E, M> {
        Release::new(&mut self.stack, key.into())
    }

    /// Adds a value that is there already, with its asynchronous release, and lends it.
    ///
    /// [`AsyncExitStack::adopt`](crate::AsyncExitStack::adopt) has an example.
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
    #[doc(alias = "enter_context")]
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
    #[doc(alias = "push_async_callback")]
    pub fn defer<F, Fut>(&self, callback: F) -> Key
    where
        F: FnOnce() -> Fut + 'a,
        Fut: Future<Output = Result<(), E>> + 'a, // not asynchronous? use `callback`
    {
        self.add(deferred(callback, self.stack.source))
    }

    /// Adds a synchronous callback.
    ///
    /// Python: `callback`.
    pub fn callback<F>(&self, callback: F) -> Key
    where
        F: FnOnce() + 'a, // asynchronous? use `defer`
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
    ///
    /// [`AsyncExitStack::push_exit`](crate::AsyncExitStack::push_exit) has an example.
    #[doc(alias = "push_async_exit")]
    pub fn push_exit<F, Fut>(&self, exit: F) -> Key
    where
        F: FnOnce(Outcome<M::Caught>) -> Fut + 'a,
        Fut: Future<Output = Result<(), E>> + 'a,
    {
        self.add(CallEntry::new(exit, self.stack.source))
    }

    fn lend<C>(&self, entered: C) -> &mut C::Resource
    where
        C: AsyncContext<Error = E> + 'a,
        C::Resource: 'a,
    {
        let source = self.stack.source;
        let key = self.stack.next_key();
        let lent = LentContext::alone(Box::pin(entered));
        self.stack.entries.lend(lent, |kept| {
            let entry = ContextEntry::new(kept, source);
            Box::new(Numbered::new(key, Nest::new(), entry)) as Box<Numbered<Borrowed<'a, E, M>>>
        })
    }

    /// Keeps an entered context. What goes on beside it is driven beside the block that has the stack.
    fn lend_out<C, X>(&self, context: Pin<Box<C>>) -> LentContext<C, X>
    where
        C: AsyncContext<X> + 'a,
        X: 'a,
    {
        let driver = self.beside_list.driver(self).map(|add| {
            move |driven: &Arc<DriveNode<Driven<C, X>>>| {
                let driven = Arc::downgrade(driven);
                add(driven);
            }
        });
        LentContext::new(context, driver, NOT_DRIVEN)
    }

    fn add(&self, entry: impl StackEntry<E, M> + 'a) -> Key {
        let key = self.stack.next_key();
        self.stack
            .entries
            .push(Box::new(Numbered::new(key, Nest::new(), entry)));
        key
    }
}

impl<'a, E: 'a> ScopedExitStack<'a, E, Catching> {
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
        C: AsyncContext<E, Error = E> + 'a,
        C::Resource: 'a,
    {
        EnterOnStack::new(self, context, identity, |this, context, nest| {
            let source = context.report_source();
            let key = this.stack.next_key();
            let lent = this.lend_out(context);
            this.stack.entries.lend(lent, |kept| {
                let entry = CatchEntry(ContextEntry::new(kept, source));
                Box::new(Numbered::new(key, nest, entry))
                    as Box<Numbered<Borrowed<'a, E, Catching>>>
            })
        })
    }
}

impl<E, M: StackMode<E>> ScopedExitStack<'_, E, M> {
    pub(super) fn take(&mut self) -> Self {
        self.beside_list.clear();
        Self {
            stack: self.stack.take(),
            beside_list: HandleSide::nowhere(),
        }
    }
}
