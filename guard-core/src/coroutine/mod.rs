//! The context behind `#[async_context]`: a future that stops at its yield.
//!
//! [`scoped`] makes a context that lives where it is used. `guaranteed` makes one that lives on the heap and is handed off
//! if it is dropped before its end. `local` makes a guaranteed one that stays on its thread.

#[cfg(feature = "alloc")]
pub(crate) mod guaranteed;
mod state_machine;

pub(crate) use state_machine::scoped;
