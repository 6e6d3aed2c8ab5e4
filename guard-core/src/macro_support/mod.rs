//! What generated code calls, and the traits whose messages a user reads. Generated code reaches it by `__private`.

mod classify;
mod definition;
mod describe;
mod handled;
#[cfg_attr(not(feature = "alloc"), path = "heap_without_alloc.rs")]
pub(crate) mod heap;
mod owned;
mod question_mark;
mod returns;
mod window;
mod yielded;

pub use crate::coroutine::Conclude;
pub use classify::{
    AskedTooEarly, Awaited, FutureAndContext, IntoReporting, NeedsNoQuestionMark, ProbeAnything,
    ProbeAwaited, ProbeCatches, ProbeFallible, ProbeFuture, ProbeResult, ProbeSafe,
    UsedWithoutCatch, probe,
};
pub use definition::{EndOfContext, Fallible, Yielded, caught, finish, misplaced_yield, scoped};
pub use describe::{Describe, DescribeDebug, DescribeDisplay, DescribeError};
pub use handled::{ErrIsNotCaught, KeptAnything, Swallowed, attempt, attempted, kept, swallowed};
pub use heap::*;
pub use owned::{Owned, owned_generic, owned_locally};
pub use question_mark::{FromFailed, MayHaveFailed, TakesError, how_failed};
pub use returns::{Returns, carried};
pub use window::{AwaitedBefore, WaitsForAnything, waits_for};
pub use yielded::{
    DeclaredAs, GoesOnAnything, GoesOnBeside, LentByItself, LentByReference, Undeclared, goes_on,
    is_lent,
};
