//! Without `std` threads cannot be told apart.

use core::num::NonZeroUsize;

/// The same for every thread.
pub(crate) fn number() -> NonZeroUsize {
    NonZeroUsize::MIN
}
