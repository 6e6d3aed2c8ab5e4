//! Every `unsafe` of the crate: what safe Rust cannot say, each a small type with a safe interface.
//!
//! - A coroutine lends a reference to one of its own locals to whoever polls it ([`Slot`]).
//! - A future in a coroutine goes on while the coroutine lends ([`Beside`]).
//! - A future lives beside the context whose resource it borrows ([`Borrowing`]).
//! - A block and the context whose resource it borrows are locals of the function around them ([`InPlace`]).
//! - A movable handle owns a pinned context and borrows its resource ([`Held`]).
//! - Two resources are lent by one reference ([`Pair`]).
//! - A driver goes on with what is beside a context whose handle is somebody else's ([`Driven`]).
//! - A list of handles grows while the resources of some of them are in use ([`AppendVec`]).
//! - A value is made where it is to stand, on the heap ([`boxed`]).
//! - Without `std`, a function pointer is kept in an atomic, and a lock spins.
//!
//! The first eight rest on pinning: what is pinned is dropped before its memory is reused, and each type
//! is `!Unpin`, or holds a raw pointer instead of a box, so that a `&mut` to it does not claim to be the
//! only pointer to its inside.
//!
//! The soundness of the first rests on generated code as well: a [`Yielder`] stays in the body future that it
//! was made for, and a [`Yield`](slot::Yield) is awaited right in that body, not in a future that could be
//! leaked. The user's code can do neither, because it cannot name the yielder, without which a [`YieldToken`] lends
//! nothing; a macro in between, also one that is only called `async_with!`, is held to it by a label (see
//! `label` and `Around` in guard-macros' folder `rewrite`). Whoever names `__private`, or takes the tokens of
//! generated code apart, gives that up.
#![allow(unsafe_code)]

#[cfg(feature = "alloc")]
mod append_vec;
mod beside;
mod borrowing;
#[cfg(feature = "alloc")]
mod boxed;
#[cfg(feature = "std")]
mod current;
#[cfg(feature = "alloc")]
mod driven;
#[cfg(feature = "std")]
mod exclusive;
#[cfg(not(feature = "std"))]
mod fn_cell;
#[cfg(feature = "alloc")]
mod held;
mod in_place;
#[cfg(feature = "alloc")]
mod pair;
mod slot;
#[cfg(all(feature = "alloc", not(feature = "std")))]
mod spin;

#[cfg(feature = "alloc")]
pub(crate) use self::{
    append_vec::AppendVec,
    beside::{Drive, JoinedBeside, Place},
    boxed::boxed,
    driven::{Driven, Kept, LentContext},
    held::{Held, HeldBeside, NOT_TOLD},
    pair::PairPlace,
    slot::is_not_driven,
};
#[cfg(feature = "std")]
pub(crate) use self::{current::Current, exclusive::Exclusive};
pub(crate) use beside::{ASK, ENDED, ENDED_AFTER_BLOCK, end_beside, poll_beside};
pub(crate) use beside::{Around, Ask, Beside, Ended};
pub(crate) use borrowing::{Borrowing, borrowing};
#[cfg(not(feature = "std"))]
pub(crate) use fn_cell::FnCell;
pub use in_place::Tie;
pub(crate) use in_place::{InPlace, Lending, Marks};
#[cfg(feature = "alloc")]
pub use pair::Pair;
pub(crate) use slot::Slot;
pub use slot::{YieldToken, Yielder};
#[cfg(all(feature = "alloc", not(feature = "std")))]
pub(crate) use spin::Shared;
