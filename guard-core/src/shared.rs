//! A value behind a short lock.

#[cfg(feature = "std")]
pub(crate) use locked::Shared;
#[cfg(not(feature = "std"))]
pub(crate) use single::Shared;

#[cfg(feature = "std")]
mod locked {
    use std::sync::{Mutex, PoisonError};

    /// Shared between threads.
    pub(crate) struct Shared<T>(Mutex<T>);

    impl<T> Shared<T> {
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
}

#[cfg(not(feature = "std"))]
mod single {
    use core::cell::RefCell;

    /// Without `std` there is no lock: what holds one stays on its thread.
    pub(crate) struct Shared<T>(RefCell<T>);

    impl<T> Shared<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(RefCell::new(value))
        }

        pub(crate) fn with<U>(&self, action: impl FnOnce(&mut T) -> U) -> U {
            action(&mut self.0.borrow_mut())
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }
    }
}
