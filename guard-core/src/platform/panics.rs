//! Catching panics, where that is possible.
//!
//! With `std` a panic is caught and later resumed with the same payload, so that the panic hook runs once.
//! Without `std` a panic cannot be caught.

#[cfg(not(feature = "std"))]
pub(crate) use aborting::{Panic, catch};
#[cfg(feature = "std")]
pub(crate) use unwinding::{Panic, catch};

#[cfg(feature = "std")]
mod unwinding {
    use std::any::Any;
    use std::boxed::Box;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use crate::raw::Exclusive;

    /// A caught panic.
    pub(crate) struct Panic(
        // The payload is only `Send`. Nobody reads it through a shared reference. The outer box makes it one word, which
        // every future of a use has a place for.
        Exclusive<Box<Box<dyn Any + Send>>>,
    );

    impl Panic {
        /// Goes on with the panic.
        pub(crate) fn resume(self) -> ! {
            resume_unwind(*self.0.into_inner())
        }

        /// Drops the payload. If its destructor panics, that second payload is leaked.
        pub(crate) fn discard(self) {
            if let Err(panic) = catch(|| drop(self)) {
                core::mem::forget(panic);
            }
        }

        /// Shows the payload to `inspect`, then discards it.
        pub(crate) fn inspect(self, inspect: impl FnOnce(&(dyn Any + Send))) {
            let payload = self.0.into_inner();
            inspect(&**payload);
            Self(Exclusive::new(payload)).discard();
        }
    }

    /// Calls `action` and catches its panic.
    ///
    /// The callers drop what `action` was using, so that nothing sees it half-changed.
    #[inline]
    pub(crate) fn catch<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
        catch_unwind(AssertUnwindSafe(action)).map_err(caught)
    }

    #[cold]
    fn caught(payload: Box<dyn Any + Send>) -> Panic {
        Panic(Exclusive::new(Box::new(payload)))
    }
}

#[cfg(not(feature = "std"))]
mod aborting {
    use core::any::Any;

    /// No panic is ever caught.
    pub(crate) enum Panic {}

    impl Panic {
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
    pub(crate) fn catch<T>(action: impl FnOnce() -> T) -> Result<T, Panic> {
        Ok(action())
    }
}
