//! A value behind a lock that is held for a few instructions only.

use std::sync::{Mutex, PoisonError};

/// A value that threads share.
pub(crate) struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn with<U>(&self, action: impl FnOnce(&mut T) -> U) -> U {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
