//! What leaves a block: the return type of the function around it, and values that are kept until the exit has run.

use core::marker::PhantomData;

/// Stands for the return type of the enclosing function.
pub struct Returns<T>(PhantomData<fn() -> T>);

impl<T> Clone for Returns<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Returns<T> {}

impl<T> Returns<T> {
    /// Stands for the return type of the function in which it is made: rustc infers `T`.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "only generated code makes one")]
    #[inline]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// A value for a `return` that is never reached.
    #[must_use]
    #[inline]
    pub fn never(self) -> T {
        unreachable!("this only tells the type")
    }

    /// Checks that `value` has the return type.
    pub fn typed(self, value: T) -> T {
        value
    }
}

/// The value of a block, once the exit has run.
#[inline]
pub fn carried<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => unreachable!("a block that ended left its value"),
    }
}
