//! The programs that the benchmarks measure.
//!
//! Each program is one use of a context: a set-up, a block and a clean-up. What they do is a few additions, so what is
//! measured is what the library adds. A program has a parameter `SUSPEND`: whether the set-up, the block and the
//! clean-up are each suspended once, or never.
//!
//! - [`by_hand`]: the same without the library, with the same guarantees: a panic of the block is caught and goes on
//!   after the clean-up; the clean-up is told how the block ended; what is dropped half-way is reported or goes on in its
//!   runtime.
//! - [`uses`]: with the library, in each of its forms.
//! - [`large`]: uses that hold much across their awaits.
//! - [`peers`]: with other crates, which give less: each says what.
//!
//! [`programs`] lists them, each with the one by hand that it is compared with.

pub mod by_hand;
pub mod large;
pub mod peers;
mod programs;
pub mod uses;
pub mod work;

pub use programs::{Program, programs};
