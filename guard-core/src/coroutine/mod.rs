//! The context behind `#[async_context]`: a future that stops at its yield.
//!
//! [`scoped`] makes a context that lives where it is used. [`guaranteed`] makes one that lives on the heap and is handed
//! off when it is dropped before its end. [`local`] makes one like that which stays on its thread.

#[cfg(feature = "alloc")]
mod guaranteed;
mod scoped;

#[cfg(feature = "alloc")]
pub(crate) use guaranteed::{guaranteed, local};
pub(crate) use scoped::scoped;
