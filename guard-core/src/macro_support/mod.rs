//! What generated code names, and what its types have to fulfil. It is reached by `__private`.

mod cannot_fail;
mod returns;

pub use cannot_fail::CannotFail;
pub use returns::Returns;
