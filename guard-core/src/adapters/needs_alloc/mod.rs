//! Adapters that need the heap.

mod closing;
mod from_fns;
mod join;
mod optional;

pub use self::{
    closing::{AsyncClose, closing},
    from_fns::from_fns,
    join::{Join, JoinError, join},
    optional::{Optional, OptionalResource, optional},
};
