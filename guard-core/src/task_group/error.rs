//! What a group of tasks fails with.

use core::fmt;
use std::vec::{self, Vec};

/// The errors of the tasks of a [`task_group`](crate::task_group), at least one, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupError<E> {
    first: E,
    rest: Vec<E>,
}

impl<E> GroupError<E> {
    pub(super) fn one(first: E) -> Self {
        let rest = Vec::new();
        Self { first, rest }
    }

    pub(super) fn new(errors: Vec<E>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        let rest = errors.collect();
        Some(Self { first, rest })
    }

    /// The error of the task that failed first.
    pub fn first(&self) -> &E {
        &self.first
    }

    /// The errors after the first.
    pub fn rest(&self) -> &[E] {
        &self.rest
    }

    /// The error of the task that failed first, for a caller who returns one error.
    pub fn into_first(self) -> E {
        self.first
    }

    /// The first error, and the others.
    pub fn into_parts(self) -> (E, Vec<E>) {
        (self.first, self.rest)
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> vec::IntoIter<E> {
        let mut errors = self.rest;
        errors.insert(0, self.first);
        errors.into_iter()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        for error in &self.rest {
            write!(f, "; then {error}")?;
        }
        Ok(())
    }
}

impl<E: core::error::Error> core::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.first.source()
    }
}
