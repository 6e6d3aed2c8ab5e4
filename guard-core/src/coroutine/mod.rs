//! The context behind `#[async_context]`: a future that stops at its yield.
//!
//! [`scoped`] makes a context that lives where it is used. `guaranteed` makes one that lives on the heap and is handed off
//! if it is dropped before its end. `local` makes a guaranteed one that stays on its thread. [`Conclude`] says with what the
//! body of each may end.
//!
//! In this folder and in `raw/slot.rs` and `raw/beside`, *body* is the body of the context's function, as a future. The code
//! that uses the resource is the *block*.

mod conclude;
#[cfg(feature = "alloc")]
pub(crate) mod guaranteed;
#[cfg(feature = "alloc")]
pub(crate) mod started_on_enter;
mod state_machine;

pub use conclude::Conclude;
pub(crate) use state_machine::scoped;
