//! How the body of a context may end.

use core::convert::Infallible;

/// How the body of a context may end.
pub trait Conclude {
    /// What can go wrong.
    type Error;

    /// The end, as a `Result`.
    ///
    /// # Errors
    ///
    /// The error of the context.
    fn conclude(self) -> Result<(), Self::Error>;
}

impl<E> Conclude for Result<(), E> {
    type Error = E;

    #[inline]
    fn conclude(self) -> Self {
        self
    }
}

impl Conclude for () {
    type Error = Infallible;

    #[inline]
    fn conclude(self) -> Result<(), Self::Error> {
        Ok(())
    }
}
