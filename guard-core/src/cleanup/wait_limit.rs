//! How long a use waits for its nest.

use core::task::Poll;

/// How long a use waits for its nest.
#[derive(Clone, Copy, Debug)]
pub enum WaitLimit {
    /// As long as [`set_wait_limit`](crate::set_wait_limit) says.
    General,
    /// The context has a limit of its own. Ready when the time is up.
    Own(Poll<()>),
    /// Not at all: its exit was given up, so what is left belongs to the enclosing use.
    GivenUp,
}
