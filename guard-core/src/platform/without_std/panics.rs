//! Without `std` a panic cannot be caught.

use core::any::Any;

/// No panic is ever caught.
pub(crate) enum Panic {}

pub(crate) type KeptPanic = Panic;

impl Panic {
    /// A kept panic, of which there is none either.
    pub(crate) fn new(panic: Self) -> Self {
        panic
    }

    pub(crate) fn resume(self) -> ! {
        match self {}
    }

    pub(crate) fn discard(self) {
        match self {}
    }

    pub(crate) fn inspect(self, _: impl FnOnce(&(dyn Any + Send))) {
        match self {}
    }
}

#[allow(clippy::unnecessary_wraps, reason = "as with `std`")]
#[inline]
pub(crate) fn catch_panic<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
    Ok(action())
}

#[allow(clippy::unnecessary_wraps, reason = "as with `std`")]
pub(crate) fn catch_panic_rarely(action: &mut dyn FnMut()) -> Result<(), Panic> {
    action();
    Ok(())
}

pub(crate) fn contained(action: impl FnOnce()) {
    action();
}

/// The message of a panic, from its payload.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &'static str {
    match payload.downcast_ref::<&'static str>() {
        Some(message) => message,
        None => "(a payload that is not a string)",
    }
}
