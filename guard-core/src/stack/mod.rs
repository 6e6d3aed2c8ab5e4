//! The exit stack: contexts entered at run time.

mod adopted;
mod context;
mod core;
mod course;
mod entry;
mod errors;
mod exit_stack;
mod late;

pub use self::core::Key;
pub use context::{AllErrors, ExitStackContext, exit_stack, scoped_exit_stack};
pub use course::{Catching, Plain, StackMode};
pub use errors::ExitErrors;
pub use exit_stack::{AsyncExitStack, ScopedExitStack, StackHandle};
pub use late::StackClosed;
