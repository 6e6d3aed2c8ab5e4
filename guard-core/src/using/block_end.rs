//! How a block ends: what it says of itself, how it was left, and what of that matters after the exit.

use crate::Outcome;
use crate::is_err::{is_err, is_ok_or_unit};

/// The block reached its end, or leaves by a jump. It is not polled again.
pub(super) const FINISHED: u16 = 1;
/// The block leaves by a `return`, not by a `?`.
pub(super) const RETURNED: u16 = 2;
/// What it leaves with has failed.
pub(super) const FAILED: u16 = 4;
/// It ends with `Ok` or `()`.
pub(super) const SUCCEEDED: u16 = 8;

/// The outcome that a `yield_resource!` in the block received, unless that was `Completed`.
pub(super) const TOLD: u16 = 0xf0;
pub(super) const TOLD_FAILED: u16 = 0x10;
pub(super) const TOLD_PANICKED: u16 = 0x20;
pub(super) const TOLD_CANCELLED: u16 = 0x40;
/// It received `Failed` in a context that catches: if the block then ends with a success, it swallows the error.
pub(super) const TOLD_TO_CATCH: u16 = 0x80;

// The bits between these are `ENDED`, `ENDED_AFTER_BLOCK` and `YIELDS` of `raw`.
/// The block consists of the use of the next context of the same call.
pub(super) const HOLDS_USE: u16 = 0x800;
/// The future beside the block has ended it. The next use of the call, which the block consists of, is to exit.
pub(super) const INTERRUPTED: u16 = 0x1000;

/// Something else may end the block: the future beside it, or the outer use of the same `async_with!`.
pub(super) const WATCHED: u16 = 0x2000;

/// How a block was left.
pub struct BlockOutput<T> {
    /// The output of the `async` block: what was returned, or what a `?` left with.
    pub(super) output: Option<T>,
    pub(super) marks: u16,
}

impl<T> BlockOutput<T> {
    /// Whether the block reached its end without a failure, and each yield in it received `Completed`.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.output.is_none() && self.marks & (FAILED | TOLD) == 0
    }

    /// Whether what it leaves with is a failure: for a block that has finished.
    #[inline]
    pub(super) fn has_failed(&self) -> bool {
        self.marks & FAILED != 0
    }

    /// Whether `returned` is an `Err`, or was returned by a `?`.
    #[inline]
    pub(super) fn has_returned_failure(&self, returned: &T) -> bool {
        if is_err(returned) {
            return true;
        }
        // A `?` returns an `Err` if the function returns a `Result`, and a function that returns `()` has no `?`. For all
        // other types (as `Option`) the mark says whether it was a `return` or a `?`.
        self.marks & RETURNED == 0 && !is_ok_or_unit(returned)
    }

    /// The outcome for the context, if the block itself has not failed.
    pub(super) fn told(&self) -> Outcome {
        match self.marks & TOLD {
            TOLD_FAILED => Outcome::Failed(()),
            TOLD_PANICKED => Outcome::Panicked,
            TOLD_CANCELLED => Outcome::Cancelled,
            TOLD_TO_CATCH if !self.has_succeeded() => Outcome::Failed(()),
            _ => Outcome::Completed,
        }
    }

    #[inline]
    fn has_succeeded(&self) -> bool {
        self.marks & SUCCEEDED != 0 || self.output.as_ref().is_some_and(is_ok_or_unit)
    }
}

/// How a block ended, as far as it matters after the exit.
pub enum BlockEnd<T> {
    /// It reached its end, or left by a jump.
    Finished,
    /// It leaves with this: the value of a `return`.
    Returned(T),
    /// It reached its end, or left by a jump, with a failure, which comes before one of the exit.
    FinishedFailed,
    /// It leaves with this failure: the value of a `return`, or the error of a `?`.
    ReturnedFailure(T),
}

impl<T> BlockEnd<T> {
    #[inline]
    pub(super) fn new(returned: Option<T>, failed: bool) -> Self {
        match (returned, failed) {
            (None, false) => Self::Finished,
            (Some(value), false) => Self::Returned(value),
            (None, true) => Self::FinishedFailed,
            (Some(value), true) => Self::ReturnedFailure(value),
        }
    }
}
