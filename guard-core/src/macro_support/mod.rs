//! What generated code calls, and the traits whose messages a user reads. Generated code reaches it by `__private`.

mod cannot_fail;
mod classify;
mod definition;
mod describe;
mod failed;
mod handled;
#[cfg_attr(not(feature = "alloc"), path = "without_alloc.rs")]
pub(crate) mod heap;
mod lent;
mod owned;
mod returns;

pub use cannot_fail::CannotFail;
pub use classify::{
    AskedTooEarly, Awaited, FutureAndContext, NeedsNoQuestionMark, ProbeAnything, ProbeAwaited,
    ProbeCatches, ProbeFallible, ProbeFuture, ProbeSafe, Reports, UsedWithoutCatch, probe,
};
pub use definition::{
    Conclude, EndOfContext, Fallible, Yielded, caught, finish, misplaced_yield, scoped,
};
pub use describe::{Describe, DescribeDebug, DescribeDisplay, DescribeError};
pub use failed::{FromFailed, MayHaveFailed, TakesError, how_failed};
pub use handled::{Swallowed, attempted, swallowed};
pub use heap::*;
pub use lent::{DeclaredAs, GoesOnAnything, GoesOnBeside, Undeclared, goes_on};
pub use owned::{Owned, owned_generic, owned_locally};
pub use returns::{Returns, carried};
