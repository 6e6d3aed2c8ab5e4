//! Locks, and what is installed for the whole process.

use std::sync::Arc;

pub(crate) use super::primitives::{AtomicUsize, Mutex, MutexGuard, Ordering, global, per_thread};

/// Locks, also after a panic: nothing here leaves its data half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Something that is installed for the whole process, and may be replaced at any time. Nothing at first.
// Made without a function, which would have to be `const` for the standard library and cannot be for loom.
pub(crate) struct Installed<T: ?Sized>(pub(crate) Mutex<Option<Arc<T>>>);

impl<T: ?Sized> Installed<T> {
    /// Installs `value` and returns what was there, to be dropped outside the lock: what it owns may be
    /// something that asks what is installed.
    pub(crate) fn replace(&self, value: Arc<T>) -> Option<Arc<T>> {
        lock(&self.0).replace(value)
    }

    pub(crate) fn get(&self) -> Option<Arc<T>> {
        lock(&self.0).clone()
    }
}
