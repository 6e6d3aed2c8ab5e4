//! How the use of a context ended.

/// How the use of a context ended: what [`yield_resource!`](crate::yield_resource) evaluates to.
///
/// In Python this is the exception that `yield` raises, or its absence. Here it is a value, so the
/// lines after the yield run in every case and cannot be skipped by forgetting a `finally`.
///
/// The parameter is the block's error: `()` for ordinary contexts, which are told *that* the block
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
    /// The block ended, by reaching its end or by a `return`, `break` or `continue`, and not with an `Err`.
    Completed,
    /// The block ended with an error: by a `?`, or with a `Result` that is `Err`.
    ///
    /// Or a later context of the same call, or a later entry of the same exit stack, failed. Or a context beside it in
    /// `join(…)` could not be entered.
    Failed(X),
    /// The block panicked, or the future [beside](crate::yield_resource#beside-the-block) it. The panic goes on once the clean-up
    /// is done.
    ///
    /// Or a later context of the same call, or a later entry of the same exit stack, panicked. Or a context beside it in
    /// `join(…)` panicked while it was entered.
    Panicked,
    /// The block was dropped before it ended, or did not begin:
    ///
    /// - The future that used the context was dropped.
    /// - The future [beside](crate::yield_resource#beside-the-block) the block failed, as that of a
    ///   [`deadline`](crate::deadline) does. Or that of an earlier context of the same call failed or panicked.
    /// - A [`Guard`](crate::Guard) or an exit stack was dropped, and not exited or closed.
    ///
    /// A context that catches is told this also where the block ended with an `Err` that is not handed to it.
    Cancelled,
}

impl<X> Outcome<X> {
    /// Whether the outcome is [`Completed`](Self::Completed).
    pub const fn is_completed(&self) -> bool {
        matches!(self, Self::Completed)
    }

    /// Whether the outcome is [`Failed`](Self::Failed).
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether the outcome is [`Panicked`](Self::Panicked).
    pub const fn is_panicked(&self) -> bool {
        matches!(self, Self::Panicked)
    }

    /// Whether the outcome is [`Cancelled`](Self::Cancelled).
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
