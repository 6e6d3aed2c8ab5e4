//! The context behind `#[async_context]`: a future that stops at its yield.
//!
//! [`scoped`] makes a context that lives where it is used. [`guaranteed`] makes one that lives on the heap and is handed
//! off when it is dropped before its end.

#[cfg(feature = "alloc")]
mod guaranteed;
mod scoped;

#[cfg(feature = "alloc")]
pub(crate) use guaranteed::guaranteed;
pub(crate) use scoped::scoped;
