//! What is dropped half-way, while its surroundings go on: who waits for its clean-up, who does not, and what
//! becomes of it where there is nowhere to go on. One file a property.
//!
//! A use is one run of a context. Its nest is the list of the clean-ups that were handed off inside it.

mod drain;
mod guards;
mod not_waited_for;
mod nowhere_to_go_on;
mod rings;
mod runtimes;
mod shutdown;
mod support;
mod waits;
