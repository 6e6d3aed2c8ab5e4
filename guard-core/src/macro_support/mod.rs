//! What generated code calls, and the traits whose messages a user reads. Generated code reaches it by `__private`.

mod cannot_fail;
mod classify;
mod definition;
mod describe;
mod failed;
mod handled;
mod lent;
mod owned;
mod returns;

pub use cannot_fail::CannotFail;
#[cfg(feature = "alloc")]
pub use classify::StackAndContext;
pub use classify::{
    AskedTooEarly, Awaited, FutureAndContext, NeedsNoQuestionMark, ProbeAnything, ProbeAwaited,
    ProbeCatches, ProbeFallible, ProbeFuture, ProbeSafe, Reports, UsedWithoutCatch, probe,
};
pub use definition::{
    Conclude, EndOfContext, Fallible, Yielded, caught, finish, guaranteed, local, misplaced_yield,
    scoped,
};
#[cfg(not(feature = "alloc"))]
pub use definition::{Missing, NeedsAlloc};
pub use describe::{Describe, DescribeDebug, DescribeDisplay, DescribeError};
pub use failed::{FromFailed, MayHaveFailed, TakesError, how_failed};
pub use handled::{Swallowed, attempted, swallowed};
pub use lent::{DeclaredAs, GoesOnAnything, GoesOnBeside, Undeclared, goes_on};
#[cfg(feature = "alloc")]
pub use owned::{Keep, KeepSelf, keep};
pub use owned::{Owned, owned_generic, owned_locally};
pub use returns::{Returns, carried};
