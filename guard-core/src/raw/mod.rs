//! Every `unsafe` of the crate: what safe Rust cannot say, each a small type with a safe interface.
//!
//! - A coroutine lends a reference to one of its own locals to whoever polls it ([`Slot`]).
//! - A future in a coroutine goes on while the coroutine lends ([`BesidePtr`]).
//! - A future lives beside the context whose resource it borrows ([`Borrowing`]).
//! - A block and the context whose resource it borrows are locals of the function around them ([`InPlace`]).
//! - A movable handle owns a pinned context and borrows its resource ([`Held`]).
//! - Two resources are lent by one reference ([`JoinResource`]).
//! - A driver goes on with what is beside a context whose handle is somebody else's ([`Driven`]).
//! - A list of handles grows while the resources of some of them are in use ([`AppendVec`]).
//! - A value is made where it is to stand, on the heap ([`boxed`]).
//! - A driver polls what a handle owns, through a node that both share ([`DriveNode`]).
//! - Code far up the stack uses a value that a caller has borrowed exclusively ([`Current`]).
//! - A value is shared between threads, but reached exclusively only ([`Exclusive`]).
//! - Without `std`, a function pointer is kept in an atomic, and a lock spins.
//!
//! The types that hold contexts and futures rest on pinning: a pinned value is dropped before its memory is reused, and each
//! type is `!Unpin`, or holds a raw pointer instead of a box, so that a `&mut` to it does not claim to be the only pointer to
//! its inside. [`JoinResource`] rests on being unsized, and [`AppendVec`] on boxes that leave the list only through `&mut`.
//!
//! The soundness of [`Slot`] rests on generated code as well: a [`Yielder`] stays in the body future that it
//! was made for, and a [`Yield`](slot::Yield) is awaited right in that body, not in a future that could be
//! leaked. The user's code can do neither, because it cannot name the yielder, without which a [`YieldToken`] lends
//! nothing; a macro in between, also one that is only called `async_with!`, is held to it by a label (see
//! `label` and `OuterLabels` in guard-macros' folder `rewrite`). Whoever names `__private`, or takes the tokens of
//! generated code apart, gives that up.
#![allow(unsafe_code)]

mod beside;
mod borrowing;
mod current;
mod exclusive;
#[cfg(feature = "alloc")]
mod heap;
mod in_place;
mod marks;
mod slot;
#[cfg(not(feature = "std"))]
pub(crate) mod without_std;

pub(crate) use beside::{
    ASK, ASK_FOR_ALL, ASK_FOR_FIRST, ASK_FOR_LATE, Ask, BesideAtYield, BesidePtr, EndedBeside,
    LaterPanics, end_beside, end_each, poll_beside,
};
pub(crate) use borrowing::{Borrowing, borrowing};
pub(crate) use current::Current;
pub(crate) use exclusive::Exclusive;
#[cfg(feature = "alloc")]
pub use heap::*;
pub use in_place::{DroppedByUse, Tie};
pub(crate) use in_place::{InPlace, Lending};
pub(crate) use marks::{ENDED, ENDED_AFTER_BLOCK, Marks, YIELDS};
pub(crate) use slot::{Phase, Slot, is_not_driven};
pub use slot::{YieldToken, Yielder};
