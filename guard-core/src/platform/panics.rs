//! Catching panics.
//!
//! A panic is caught and later resumed with the same payload, so that the panic hook runs once.

use std::any::Any;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::raw::Exclusive;

/// A caught panic.
pub(crate) struct Panic(
    // The payload is only `Send`. Nobody reads it through a shared reference.
    Exclusive<Box<dyn Any + Send>>,
);

/// A panic in one word, for what is always there and seldom has one.
#[repr(Rust, packed)] // No alignment, so that what keeps it needs no padding.
pub(crate) struct KeptPanic(Box<Panic>);

impl KeptPanic {
    #[cold]
    pub(crate) fn new(panic: Panic) -> Self {
        Self(Box::new(panic))
    }

    /// Shows the payload to `inspect`, then discards it.
    pub(crate) fn inspect(self, inspect: impl FnOnce(&(dyn Any + Send))) {
        let Self(panic) = self;
        panic.inspect(inspect);
    }

    /// Goes on with the panic.
    pub(crate) fn resume(self) -> ! {
        let Self(panic) = self;
        panic.resume()
    }
}

impl Panic {
    /// Goes on with the panic.
    pub(crate) fn resume(self) -> ! {
        resume_unwind(self.0.into_inner())
    }

    /// Drops the payload. If its destructor panics, that second payload is leaked.
    pub(crate) fn discard(self) {
        if let Err(panic) = catch_panic(|| drop(self)) {
            core::mem::forget(panic);
        }
    }

    /// Shows the payload to `inspect`, then discards it.
    pub(crate) fn inspect(self, inspect: impl FnOnce(&(dyn Any + Send))) {
        let payload = self.0.into_inner();
        inspect(&*payload);
        Self(Exclusive::new(payload)).discard();
    }
}

/// Calls `action` and catches its panic.
///
/// The callers drop what `action` was using, so that nothing sees it half-changed.
#[inline]
pub(crate) fn catch_panic<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|payload| Panic(Exclusive::new(payload)))
}

/// Calls code that is not the library's own, such as a waker. A panic of it stops here.
pub(crate) fn contained(action: impl FnOnce()) {
    if let Err(panic) = catch_panic(action) {
        panic.discard();
    }
}

/// [`catch_panic`] for what is rarely called, and need not be compiled anew for every use.
#[cold]
pub(crate) fn catch_panic_rarely(action: &mut dyn FnMut()) -> Result<(), Panic> {
    catch_panic(action)
}

/// What the panic hook prints of a payload.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        return message;
    }
    match payload.downcast_ref::<String>() {
        Some(message) => message,
        None => "(a payload that is not a string)",
    }
}
