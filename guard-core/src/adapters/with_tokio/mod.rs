//! Adapters that need tokio.

mod blocking;
mod deadline;
mod timeout;

pub use self::{
    blocking::{blocking, blocking_catch},
    deadline::{Elapsed, deadline},
    timeout::{ExitTimeout, Timeout},
};
