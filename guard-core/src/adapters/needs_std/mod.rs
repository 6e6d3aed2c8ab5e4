//! Adapters that need the standard library.

mod entered;
mod exit_limit;
mod lazy;
mod swap;

pub use self::{
    exit_limit::{Bounded, Clock, ExitUntil, TimeoutError, Until},
    lazy::{Lazy, LazyResource, lazy},
    swap::{Current, ReplaceError, Swap, SwapResource, swap},
};
