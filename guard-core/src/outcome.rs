//! How the use of a context ended.

/// How the use of a context ended: what [`yield_resource!`](crate::yield_resource) evaluates to.
///
/// In Python this is the exception that `yield` raises, or its absence. Here it is a value, so the
/// lines after the yield run in every case and cannot be skipped by forgetting a `finally`.
///
/// The parameter is the body's error: `()` for ordinary contexts, which are told *that* the body
/// failed, and the error itself for `#[async_context(catch)]`, which decide what becomes of it.
/// The list of variants is complete and stays so: matching all four is encouraged.
///
/// # Examples
///
/// ```
/// use guard_core::Outcome;
///
/// assert!(Outcome::<()>::Completed.is_completed());
/// assert_eq!(Outcome::Failed("disk full").without_error(), Outcome::Failed(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome<X = ()> {
    /// The body ended, by reaching its end or by a `return`, `break` or `continue`, and not with an `Err`.
    Completed,
    /// The body ended with an error: by a `?`, or with a `Result` that is `Err`.
    Failed(X),
    /// The body panicked. The panic goes on once the clean-up is done.
    Panicked,
    /// The future that used the context was dropped before the body ended. A context that catches is told this also
    /// where the body ended with an `Err` that is not handed to it.
    Cancelled,
}

impl<X> Outcome<X> {
    /// Whether the body ended without error.
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Whether the body ended with an error.
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether the body panicked.
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked)
    }

    /// Whether the body was cancelled.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// The outcome without the error it may carry.
    pub fn without_error(&self) -> Outcome {
        self.as_ref().map(|_| ())
    }

    /// The outcome with its error borrowed.
    pub const fn as_ref(&self) -> Outcome<&X> {
        match self {
            Self::Completed => Outcome::Completed,
            Self::Failed(error) => Outcome::Failed(error),
            Self::Panicked => Outcome::Panicked,
            Self::Cancelled => Outcome::Cancelled,
        }
    }

    /// The outcome with its error converted.
    pub fn map<Y>(self, convert: impl FnOnce(X) -> Y) -> Outcome<Y> {
        match self {
            Self::Completed => Outcome::Completed,
            Self::Failed(error) => Outcome::Failed(convert(error)),
            Self::Panicked => Outcome::Panicked,
            Self::Cancelled => Outcome::Cancelled,
        }
    }
}
