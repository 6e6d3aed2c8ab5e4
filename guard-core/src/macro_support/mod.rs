//! What generated code names, and what its types have to fulfil. It is reached by `__private`.

mod cannot_fail;
mod failed;
mod handled;
mod returns;

pub use cannot_fail::CannotFail;
pub use failed::{MayHaveFailed, how_failed};
pub use handled::{Swallowed, attempted, swallowed};
pub use returns::Returns;
