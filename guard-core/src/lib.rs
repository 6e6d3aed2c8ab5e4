#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
mod background;
mod context;
mod coroutine;
#[cfg(feature = "alloc")]
mod guaranteed;
#[cfg(feature = "alloc")]
mod guard;
mod inline;
mod macros;
mod manager;
mod order;
mod outcome;
mod panics;
#[cfg(feature = "alloc")]
mod pending;
mod raw;
mod report;
#[cfg(feature = "alloc")]
mod runtime;
mod scope;
mod span;
#[cfg(feature = "std")]
mod sync;

#[doc(hidden)]
pub mod __private;

#[cfg(feature = "alloc")]
pub use background::{Task, set_spawner};
pub use context::AsyncContext;
#[cfg(feature = "alloc")]
pub use context::{BoxContext, LocalBoxContext};
#[cfg(feature = "alloc")]
pub use guard::Guard;
#[cfg(feature = "macros")]
pub use macros::async_context;
#[cfg(feature = "alloc")]
pub use manager::manage;
pub use manager::{AsyncManager, manage_scoped};
pub use outcome::Outcome;
#[cfg(feature = "std")]
pub use pending::{drain, pending_cleanups};
pub use report::{Loss, Report, set_reporter};
pub use scope::ScopeError;

/// The futures and helper traits behind the methods of [`AsyncContext`].
pub mod future {
    #[cfg(feature = "alloc")]
    pub use crate::guard::{Enter, Exit};
    #[cfg(feature = "std")]
    pub use crate::pending::Drain;
    pub use crate::scope::{Body, Catch, Run, TryWith, Use, With};
}
