//! Adapters that need the heap.

mod closing;
mod from_fns;
mod join;
mod optional;

pub use self::{
    closing::{AsyncClose, Closing, closing},
    from_fns::{FromFns, from_fns},
    join::{Join, JoinError, join},
    optional::{Optional, OptionalResource, optional},
};
