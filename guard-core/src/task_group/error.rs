//! What a group of tasks fails with.

use core::fmt;
use std::vec::{self, Vec};

/// What can be the error of the tasks of a [`task_group`](crate::task_group): what is `Debug + Send + 'static`.
///
/// It is implemented for every such type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task group",
    label = "not `Debug + Send + 'static`",
    note = "for errors of any kind: `Box<dyn Error + Send + Sync>`, and not `Box<dyn Error>`",
    note = "an error of one's own needs `#[derive(Debug)]`"
)]
pub trait TaskError: fmt::Debug + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<E: fmt::Debug + Send + 'static> TaskError for E {}

/// The errors of the tasks of a [`task_group`](crate::task_group), at least one, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupError<E> {
    /// Never empty.
    errors: Vec<E>,
}

impl<E> GroupError<E> {
    pub(super) fn one(error: E) -> Self {
        Self {
            errors: vec![error],
        }
    }

    pub(super) fn new(errors: Vec<E>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self { errors })
    }

    /// The error of the task that failed first.
    pub fn first(&self) -> &E {
        &self.errors[0]
    }

    /// The errors after the first.
    pub fn rest(&self) -> &[E] {
        &self.errors[1..]
    }

    /// The error of the task that failed first, for a caller who returns one error.
    pub fn into_first(mut self) -> E {
        self.errors.swap_remove(0)
    }

    /// The first error, and the others.
    pub fn into_parts(mut self) -> (E, Vec<E>) {
        let first = self.errors.remove(0);
        (first, self.errors)
    }
}

/// The one error, so that a `?` in a function which returns a `GroupError` takes errors of the tasks' type too, as in the block
/// of the group.
///
/// ```
/// use guard_core::{GroupError, async_with, task_group};
/// use std::io;
///
/// async fn total(paths: [&'static str; 2]) -> Result<u64, GroupError<io::Error>> {
///     async_with!(group = task_group()?, {
///         let first = group.spawn(async move { Ok(tokio::fs::metadata(paths[0]).await?.len()) });
///         let second = tokio::fs::metadata(paths[1]).await?.len(); // an `io::Error`
///         Ok(first.await.unwrap_or_default() + second)
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let error = total(["/", "/none"]).await.unwrap_err();
/// assert_eq!(error.first().kind(), io::ErrorKind::NotFound);
/// # }
/// ```
impl<E> From<E> for GroupError<E> {
    fn from(error: E) -> Self {
        Self::one(error)
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = E;
    type IntoIter = vec::IntoIter<E>;

    fn into_iter(self) -> vec::IntoIter<E> {
        self.errors.into_iter()
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first().fmt(f)?;
        for error in self.rest() {
            write!(f, "; then {error}")?;
        }
        Ok(())
    }
}

impl<E: core::error::Error> core::error::Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.first().source()
    }
}
