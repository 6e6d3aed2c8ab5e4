//! What `std`, `alloc` alone, tokio and the model checker loom each give: one interface for all of them.

pub(crate) mod panics;
#[cfg(feature = "alloc")]
pub(crate) mod shared;
#[cfg(feature = "std")]
pub(crate) mod sync;
pub(crate) mod tokio;
