//! What `std`, `alloc` alone, and the model checker loom each give: one interface for all of them.

pub(crate) mod coop;
pub(crate) mod panics;
#[cfg(feature = "alloc")]
pub(crate) mod shared;
#[cfg(feature = "std")]
pub(crate) mod sync;
