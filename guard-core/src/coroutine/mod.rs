//! The context behind `#[async_context]`: a future that stops at its yield.
//!
//! [`scoped`] makes a context that lives where it is used. `guaranteed` makes one that lives on the heap and is handed
//! off when it is dropped before its end, and `local` one like that which stays on its thread.

#[cfg(feature = "alloc")]
pub(crate) mod guaranteed;
mod scoped;

pub(crate) use scoped::scoped;
