//! `StackHandle`, which adds entries to a stack from elsewhere.

use alloc::boxed::Box;
use core::future::Future;

use super::entry::deferred;
use super::inbox::{Inbox, StackClosed};
use super::owned::Owned;
use super::stack::{Key, Numbered};
use super::unwind_state::{Plain, StackMode};
use crate::cleanup::Nest;
use crate::report::ReportSource;

/// Adds entries to an [`AsyncExitStack`](crate::AsyncExitStack) from elsewhere: see [`handle`](crate::AsyncExitStack::handle).
pub struct StackHandle<E, M = Plain>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    pub(super) inbox: Inbox<Numbered<Owned<E, M>>>,
    pub(super) source: ReportSource<E>,
}

impl<E, M> Clone for StackHandle<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn clone(&self) -> Self {
        Self {
            inbox: self.inbox.clone(),
            source: self.source,
        }
    }
}

impl<E, M> StackHandle<E, M>
where
    E: 'static,
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
        self.inbox.push_with(|| {
            let callback = callback.take()?;
            let entry = deferred(callback, self.source);
            let key = Key::UNNAMED;
            Some(Box::new(Numbered::new(key, Nest::new(), entry)) as Box<Numbered<Owned<E, M>>>)
        });
        match callback {
            None => Ok(()),
            Some(callback) => Err(StackClosed(callback)),
        }
    }
}
