//! The error of a context whose exit is bounded.

use core::fmt;

/// The error of a context whose exit is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutError<E> {
    /// The context's own error.
    Context(E),
    /// The exit did not end in time, and was dropped.
    TimedOut,
}

impl<E: fmt::Display> fmt::Display for TimeoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(error) => error.fmt(f),
            Self::TimedOut => f.write_str("clean-up exceeded its time limit and was dropped"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for TimeoutError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Context(error) => error.source(),
            Self::TimedOut => None,
        }
    }
}

/// As that of the context itself; [`TimedOut`](std::io::ErrorKind::TimedOut) where the time was up.
impl<E> From<TimeoutError<E>> for std::io::Error
where
    Self: From<E>,
{
    fn from(error: TimeoutError<E>) -> Self {
        match error {
            TimeoutError::Context(error) => error.into(),
            TimeoutError::TimedOut => {
                let what = TimeoutError::<core::convert::Infallible>::TimedOut;
                Self::new(std::io::ErrorKind::TimedOut, what)
            }
        }
    }
}
