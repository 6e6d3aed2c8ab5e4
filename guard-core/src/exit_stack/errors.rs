//! What an exit stack failed with.

use alloc::vec::{self, Vec};
use core::fmt;

/// All errors of an exit stack, at least one, in the order in which they happened.
///
/// The first is the primary one: the error with which the use failed, if the stack was told, else that
/// of the entry that failed first. It is what `source()` continues with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitErrors<E> {
    /// Never empty.
    errors: Vec<E>,
}

impl<E> ExitErrors<E> {
    pub(super) fn new(errors: Vec<E>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self { errors })
    }

    /// The primary error.
    pub fn first(&self) -> &E {
        &self.errors[0]
    }

    /// The errors after the first.
    pub fn rest(&self) -> &[E] {
        &self.errors[1..]
    }

    /// All errors.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.errors.iter()
    }

    /// How many there are, which is never none.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// The primary error, and the others.
    pub fn into_parts(mut self) -> (E, Vec<E>) {
        let first = self.errors.remove(0);
        (first, self.errors)
    }
}

impl<E> IntoIterator for ExitErrors<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> vec::IntoIter<E> {
        self.errors.into_iter()
    }
}

impl<E: fmt::Display> fmt::Display for ExitErrors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first().fmt(f)?;
        for error in self.rest() {
            write!(f, "; then {error}")?;
        }
        Ok(())
    }
}

impl<E: core::error::Error> core::error::Error for ExitErrors<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.first().source()
    }
}
