//! What an exit stack failed with.

use alloc::vec::{self, Vec};
use core::fmt;

/// All errors of an exit stack, at least one, in the order in which they happened.
///
/// The first is the primary one: the error with which the use failed, if the stack was told, else that
/// of the entry that failed first. It is what `source()` continues with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitErrors<E> {
    first: E,
    rest: Vec<E>,
}

impl<E> ExitErrors<E> {
    pub(super) fn new(mut errors: Vec<E>) -> Option<Self> {
        if errors.is_empty() {
            return None;
        }
        let rest = errors.split_off(1);
        let first = errors.pop()?;
        Some(Self { first, rest })
    }

    /// The primary error.
    pub fn first(&self) -> &E {
        &self.first
    }

    /// The errors after the first.
    pub fn rest(&self) -> &[E] {
        &self.rest
    }

    /// All errors.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// How many there are, which is never none.
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        1 + self.rest.len()
    }

    /// The primary error, and the others.
    pub fn into_parts(self) -> (E, Vec<E>) {
        (self.first, self.rest)
    }
}

impl<E> IntoIterator for ExitErrors<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> vec::IntoIter<E> {
        let mut errors = self.rest;
        errors.insert(0, self.first);
        errors.into_iter()
    }
}

impl<E: fmt::Display> fmt::Display for ExitErrors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        for error in &self.rest {
            write!(f, "; then {error}")?;
        }
        Ok(())
    }
}

impl<E: core::error::Error> core::error::Error for ExitErrors<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.first.source()
    }
}
