//! The exit stack: contexts entered at run time.

mod adopted;
mod context;
mod core;
mod course;
mod entry;
mod errors;
mod late;
mod stack;

pub use self::core::Key;
pub use context::{AllErrors, ExitStackContext, exit_stack, scoped_exit_stack};
pub use course::{Catching, Plain, StackMode};
pub use errors::ExitErrors;
pub use late::StackClosed;
pub use stack::{AsyncExitStack, ScopedExitStack, StackHandle};
