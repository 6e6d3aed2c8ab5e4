//! What is dropped half-way, while its surroundings go on: who waits for its clean-up, who does not, and what
//! becomes of it where there is nowhere to go on. One file a property.
//!
//! A use is one run of a context. Its nest is the list of the clean-ups that were handed off inside it.

#[path = "../cancellation/alone.rs"]
mod alone;
mod blocking_destructors;
mod detached;
mod drain;
mod drive;
mod exit_limits;
mod guards;
mod hangs;
mod local;
mod many;
mod not_waited_for;
mod nowhere_to_go_on;
mod panics;
mod pending;
mod reports;
mod rings;
mod runtimes;
mod settled;
mod shutdown;
mod spawner;
mod support;
mod thread_locals;
mod wait_limit;
mod waits;
mod workers;
