// The first definition of a link is the one that counts: here to the pages of the guide, in the README to its files.
//! [`guide::defining`]: crate::guide::defining
//! [`guide::using`]: crate::guide::using
//! [`guide::cancellation`]: crate::guide::cancellation
//! [`guide::errors`]: crate::guide::errors
//! [`guide::exit_stacks`]: crate::guide::exit_stacks
//! [`guide::testing`]: crate::guide::testing
//! [`guide::production`]: crate::guide::production
//! [`guide::limits`]: crate::guide::limits
//! [`guide::recipes`]: crate::guide::recipes
//! [`guide::from_python`]: crate::guide::from_python
//! [`guide::glossary`]: crate::guide::glossary
//!
#![doc = include_str!("../README.md")]
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `std` (default) | catching panics, exits that wait, [`settled`], [`drain`] |
//! | `macros` (default) | the macros |
//! | `tokio` (default) | clean-up in the tokio runtime of the context, [`exit_timeout`](AsyncContext::exit_timeout), [`blocking`], [`deadline`], [`task_group`] |
//! | `alloc` | without `std`: guaranteed contexts, [`enter`](AsyncContext::enter), `join` and the exit stack |
//! | `testing` | `guard_core::testing`: cancellation at every poll, laws for contexts, reports of one test |
//! | `tracing` | reports as events, a span around each context |
//!
//! Without any of them the crate is `#![no_std]`, and `scoped` contexts work with `core` alone.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
// What only some features use is compiled without them too. With the default ones the compiler checks that all of it is
// used. `cleanup/without_std` and `raw/without_std` ask for that check themselves.
#![cfg_attr(not(feature = "tokio"), allow(dead_code, unused_imports))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod adapters;
#[cfg(feature = "macros")]
mod body_macros;
mod call_order;
mod cleanup;
pub mod context;
mod coroutine;
#[cfg(feature = "alloc")]
mod exit_stack;
#[cfg(feature = "alloc")]
mod guard;
mod is_err;
#[cfg(all(test, guard_loom))]
mod loom_tests;
mod macro_support;
#[cfg(feature = "macros")]
mod macros;
mod manager;
#[cfg(feature = "alloc")]
mod misnamed;
mod outcome;
mod platform;
mod raw;
mod report;
#[cfg(feature = "tokio")]
mod task_group;
#[cfg(feature = "testing")]
pub mod testing;
mod using;
#[cfg(not(feature = "macros"))]
mod without_macros;

#[doc(hidden)]
pub mod __private;

// The examples of its pages use everything.
#[cfg(all(feature = "macros", feature = "tokio"))]
pub mod guide;

#[cfg(feature = "alloc")]
pub use self::{
    adapters::needs_alloc::{AsyncClose, closing, from_fns, optional},
    cleanup::{Cleanup, background::set_spawner},
    context::{BoxContext, LocalBoxContext},
    exit_stack::{
        AsyncExitStack, EntryKey, ExitErrors, ScopedExitStack, exit_stack, scoped_exit_stack,
    },
    guard::Guard,
    manager::manage,
};
#[cfg(feature = "std")]
pub use self::{
    adapters::needs_std::{ReplaceError, TimeoutError, lazy, swap},
    cleanup::background::{
        LocalCleanup, PendingCleanup, Unsettled, detached, drain, drain_all, pending_cleanups,
        set_cleanup_timeout, set_local_spawner, set_wait_limit, settled, try_settled,
    },
    report::OwnedReport,
};
#[cfg(feature = "tokio")]
pub use self::{
    adapters::needs_tokio::{Elapsed, blocking, blocking_catch, deadline},
    task_group::{GroupError, TaskGroup, TaskHandle, TaskStopped, task_group},
};
pub use adapters::{nullcontext, suppress};
pub use context::AsyncContext;
#[cfg(feature = "macros")]
pub use macros::{async_context, within};
pub use manager::{AsyncManager, manage_scoped};
pub use outcome::Outcome;
#[doc(hidden)]
pub use report::ReportSource;
pub use report::{Report, ReportKind, set_reporter};
pub use using::TryWithError;

/// The parts of the exit stack that are rarely named.
#[cfg(feature = "alloc")]
pub mod exit_stack_parts {
    pub use crate::exit_stack::{
        AllErrors, Catching, EnterKeyed, EnterLent, EnterOnStack, ExitStackContext, Key, Plain,
        Release, ReleasedBy, ScopedExitStackContext, StackClosed, StackError, StackHandle,
        StackMode,
    };
}
