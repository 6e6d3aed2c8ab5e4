//! The use of a context: enter, body, exit, result.
//!
//! [`Use`] is the one algorithm. It is the future behind `async_with!`, `#[within]`, `.with`, `.try_with`,
//! `.run` and `.catch`. Two traits make the difference between those forms:
//!
//! - [`Parts`] says where the context and the body are: in the future itself, with a closure that makes the
//!   body (`closure`), or in the function around it, with a block that stands there (`block`).
//! - [`Form`] says what becomes of the body's output and of the exit's result (`form`; `cannot_fail` has that of `run`).
//!   How a block ends, its driver and its form both have to know: that is in `block_end`.
//!
//! A context that is entered by hand has no body: `entering` has its set-up, for guards, stacks, `lazy` and `swap`, and
//! `exit_steps` has its exit, for guards, `lazy` and `swap`.
//!
//! `beside_list` has what goes on beside a block that adds to it.
//!
//! ```text
//!          poll_enter        poll_body          poll_exit
//!  Enter ──────────► Body ──────────► Exit ──────────► Over
//!    │                 │ something      │ something
//!    │ failed          │ is left        │ is left
//!    ▼                 ▼                ▼
//!  NotEntered        Before           After
//!    └─────────────────┴────────────────┴─► waits for the nest, then goes on
//! ```

#[cfg(feature = "alloc")]
pub(crate) mod beside_list;
pub(crate) mod block;
mod block_end;
mod cannot_fail;
pub(crate) mod closure;
mod driver;
#[cfg(feature = "alloc")]
pub(crate) mod entering;
mod error;
pub(crate) mod exit_steps;
pub(crate) mod form;

pub use cannot_fail::CannotFail;
pub use closure::{Catch, Run, TryWith, With};
pub use driver::Use;
pub(crate) use driver::{Parts, Runs};
pub use error::TryWithError;
