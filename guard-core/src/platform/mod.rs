//! One interface to `std`, to `alloc` alone, to tokio and to the model checker loom.
//!
//! If a module has two versions, there are two files with the same items. The attribute `path` at its `mod` line says when
//! the second one is compiled.

#[cfg_attr(not(feature = "std"), path = "without_std/panics.rs")]
pub(crate) mod panics;
// The cfg is not called `loom`, because tokio, which the tests also need, understands that one too.
#[cfg(feature = "alloc")]
#[cfg_attr(not(feature = "std"), path = "without_std/locked.rs")]
pub(crate) mod locked;
#[cfg(feature = "std")]
#[cfg_attr(guard_loom, path = "primitives_with_loom.rs")]
mod primitives;
#[cfg(feature = "std")]
pub(crate) mod sync;
#[cfg_attr(not(feature = "std"), path = "without_std/thread.rs")]
pub(crate) mod thread;
#[cfg_attr(not(feature = "tokio"), path = "without_tokio.rs")]
pub(crate) mod tokio;
#[cfg(feature = "std")]
pub(crate) mod wakers;
