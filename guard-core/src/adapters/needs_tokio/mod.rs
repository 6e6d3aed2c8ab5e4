//! Adapters that need tokio.

mod blocking;
mod deadline;
mod exit_timeout;

pub use self::{
    blocking::{Blocking, BlockingCatch, blocking, blocking_catch},
    deadline::{Elapsed, deadline},
    exit_timeout::{ExitTimeout, Timeout},
};
