//! Entries that are added from outside, while the stack unwinds.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::platform::locked::Locked;

/// A list that is shared between a stack and its handles. `None` when the stack is gone.
pub(super) struct Inbox<T: ?Sized>(Arc<Locked<Option<Vec<Box<T>>>>>);

impl<T: ?Sized> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Inbox<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Locked::new(Some(Vec::new()))))
    }

    /// Refuses entries from now on, if there are none.
    pub(super) fn close_if_empty(&self) -> bool {
        self.0.with(|entries| {
            let empty = entries.as_ref().is_none_or(Vec::is_empty);
            if empty {
                *entries = None;
            }
            empty
        })
    }

    /// Takes all entries, the last one last.
    pub(super) fn take(&self) -> Vec<Box<T>> {
        let entries = self.0.with(|entries| entries.as_mut().map(core::mem::take));
        entries.unwrap_or_default()
    }

    pub(super) fn pop(&self) -> Option<Box<T>> {
        self.0.with(|entries| entries.as_mut().and_then(Vec::pop))
    }

    /// Adds an entry, if the stack is still there: only then it is made.
    pub(super) fn push_with(&self, make: impl FnOnce() -> Option<Box<T>>) {
        self.0.with(|entries| {
            if let Some(entries) = entries {
                entries.extend(make());
            }
        });
    }

    /// Refuses entries from now on, and returns what is left.
    pub(super) fn close(&self) -> Vec<Box<T>> {
        self.0.with(Option::take).unwrap_or_default()
    }
}

/// The error of adding to an exit stack that is gone: what was to be added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StackClosed<F>(pub F);

impl<F> fmt::Debug for StackClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StackClosed(..)")
    }
}

impl<F> fmt::Display for StackClosed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exit stack is gone")
    }
}

impl<F> core::error::Error for StackClosed<F> {}
