//! The exit stack: contexts entered at run time.

mod adopted;
mod context;
mod core;
mod course;
mod debug;
mod enter;
mod entry;
mod errors;
mod keyed;
mod late;
mod stack;

pub use self::core::Key;
pub use context::{AllErrors, ExitStackContext, exit_stack, scoped_exit_stack};
pub use course::{Catching, Plain, StackMode};
pub use enter::{EnterKeyed, EnterLent, EnterOnStack};
pub use errors::ExitErrors;
pub use keyed::EntryKey;
pub use late::StackClosed;
pub use stack::{AsyncExitStack, ScopedExitStack, StackHandle};
