//! Without `std`, a lock spins.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value behind a lock that spins: what is done under it is a few instructions long.
pub(crate) struct Locked<T> {
    is_locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` gives access to one thread at a time, so sharing it sends the value around.
unsafe impl<T: Send> Sync for Locked<T> {}

impl<T> Locked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            is_locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn with<U>(&self, action: impl FnOnce(&mut T) -> U) -> U {
        struct Unlock<'a>(&'a AtomicBool);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }

        while self.is_locked.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        let _unlock = Unlock(&self.is_locked);
        // SAFETY: the lock was free and is held until `_unlock` is dropped, after `action`; nobody
        // else gets at the value meanwhile.
        action(unsafe { &mut *self.value.get() })
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}
