//! Contexts made of values, functions and other contexts.

#[cfg(all(feature = "std", feature = "tokio"))]
mod blocking;
#[cfg(feature = "alloc")]
mod closing;
#[cfg(feature = "std")]
mod deadline;
#[cfg(feature = "alloc")]
mod from_fns;
mod infallible;
#[cfg(feature = "alloc")]
mod join;
mod map_err;
mod null;
mod suppress;

#[cfg(all(feature = "std", feature = "tokio"))]
pub use blocking::blocking;
#[cfg(feature = "alloc")]
pub use closing::{AsyncClose, closing};
#[cfg(feature = "std")]
pub use deadline::{ExitUntil, TimeoutError};
#[cfg(feature = "tokio")]
pub use deadline::{ExitWithin, Within};
#[cfg(feature = "alloc")]
pub use from_fns::from_fns;
pub use infallible::Infallibly;
#[cfg(feature = "alloc")]
pub use join::{Join, JoinError, join};
pub use map_err::MapErr;
pub use null::{NullContext, nullcontext};
pub use suppress::{Suppress, suppress};
