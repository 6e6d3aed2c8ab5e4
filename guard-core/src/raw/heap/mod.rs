//! The parts of `raw` that need the feature `alloc`, with those of the folder `beside`.

mod append_vec;
mod boxed;
mod driven;
mod held;
mod join_resource;

pub(crate) use super::beside::drive::{DriveNode, Driveable};
pub(crate) use super::beside::joined::JoinedBeside;
pub(crate) use append_vec::AppendVec;
pub(crate) use boxed::boxed;
pub(crate) use driven::{Driven, KeptContext, LentContext};
pub(crate) use held::{GUARD_CANNOT_DRIVE, Held, HeldBeside};
pub use join_resource::JoinResource;
pub(crate) use join_resource::JoinResourcePlace;
