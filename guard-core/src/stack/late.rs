//! Entries that are added from outside, while the stack unwinds.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::shared::Shared;

/// A list that is shared between a stack and its handles. `None` when the stack is gone.
pub(super) struct Late<T: ?Sized>(Arc<Shared<Option<Vec<Box<T>>>>>);

impl<T: ?Sized> Clone for Late<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Late<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared::new(Some(Vec::new()))))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0
            .with(|entries| entries.as_ref().is_none_or(Vec::is_empty))
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

    pub(super) fn close(&self) {
        let rest = self.0.with(Option::take);
        drop(rest);
    }
}

/// The error of adding to an exit stack that is gone: what was to be added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StackGone<F>(pub F);

impl<F> fmt::Debug for StackGone<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StackGone(..)")
    }
}

impl<F> fmt::Display for StackGone<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the exit stack is gone")
    }
}

impl<F> core::error::Error for StackGone<F> {}
