//! Without `std` threads cannot be told apart.

/// The same for every thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number;

pub(crate) fn number() -> Number {
    Number
}
