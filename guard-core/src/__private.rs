//! Not public API: what generated code names. Anything here may change in any release.

pub use core;

#[cfg(not(feature = "macros"))]
pub use crate::__missing_macro as missing_macro;
pub use crate::AsyncContext;
#[cfg(feature = "alloc")]
pub use crate::adapters::needs_alloc::{JoinError, join};
pub use crate::macro_support::*;
pub use crate::raw::{DroppedByUse, Tie, YieldToken, Yielder};
pub use crate::using::block::{Link, attempting, catching, in_function, tied, tied_inside};
pub use crate::using::form::Next;
#[cfg(feature = "macros")]
pub use crate::{__cancellable as cancellable, __yield_resource as yield_resource};
#[cfg(feature = "macros")]
pub use guard_macros::async_with;
