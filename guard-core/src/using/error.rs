//! What `try_with` results in when something goes wrong.

use core::fmt;

/// Everything that can go wrong when a context is used, with nothing lost: see
/// [`try_with`](crate::AsyncContext::try_with).
///
/// `T` is the body's value, `X` its error, `E` the context's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryWithError<T, X, E> {
    /// The context could not be entered; the body did not run.
    Enter(E),
    /// The body failed; the clean-up succeeded.
    Body(X),
    /// The body succeeded; the clean-up failed.
    Exit {
        /// What the body returned.
        value: T,
        /// Why the clean-up failed.
        error: E,
    },
    /// The body failed, and then the clean-up did.
    BodyAndExit {
        /// Why the body failed.
        body: X,
        /// Why the clean-up failed.
        exit: E,
    },
    /// What goes on beside the body ended it.
    Beside {
        /// Why it did.
        error: E,
        /// Why the clean-up failed, if it did, too.
        ///
        /// A context made of contexts has one error for both, `error`: what its own code made of it.
        exit: Option<E>,
    },
}

impl<T, X: fmt::Display, E: fmt::Display> fmt::Display for TryWithError<T, X, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter(error) => write!(f, "could not enter: {error}"),
            Self::Body(error) => error.fmt(f),
            Self::Exit { error, .. } => write!(f, "could not clean up: {error}"),
            Self::BodyAndExit { body, exit } => {
                write!(f, "{body} (and could not clean up: {exit})")
            }
            Self::Beside { error, exit: None } => error.fmt(f),
            Self::Beside {
                error,
                exit: Some(exit),
            } => write!(f, "{error} (and could not clean up: {exit})"),
        }
    }
}

impl<T, X, E> core::error::Error for TryWithError<T, X, E>
where
    T: fmt::Debug,
    X: core::error::Error + 'static,
    E: core::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Their message is that of the whole; what follows is their own source.
            Self::Body(error) | Self::BodyAndExit { body: error, .. } => error.source(),
            Self::Beside { error, .. } => error.source(),
            Self::Enter(error) | Self::Exit { error, .. } => Some(error),
        }
    }
}
