//! The shared-memory parts, from `std` or, to be model-checked, from loom.
//!
//! The cfg is not called `loom`, because tokio, which the tests also need, understands that one too.

#[cfg(not(guard_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

#[cfg(guard_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

use std::sync::Arc;

/// Locks, also after a panic: nothing here leaves its data half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Something that is installed for the whole process, and may be replaced at any time.
pub(crate) struct Installed<T: ?Sized>(Mutex<Option<Arc<T>>>);

impl<T: ?Sized> Installed<T> {
    #[cfg(not(guard_loom))]
    pub(crate) const fn nothing() -> Self {
        Self(Mutex::new(None))
    }

    #[cfg(guard_loom)]
    pub(crate) fn nothing() -> Self {
        Self(Mutex::new(None))
    }

    /// Installs `value` and returns what was there, to be dropped outside the lock: what it owns may be
    /// something that asks what is installed.
    pub(crate) fn replace(&self, value: Arc<T>) -> Option<Arc<T>> {
        lock(&self.0).replace(value)
    }

    pub(crate) fn get(&self) -> Option<Arc<T>> {
        lock(&self.0).clone()
    }
}
