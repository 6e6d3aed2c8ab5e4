//! The exit stack: contexts entered at run time.

mod adopted;
mod context;
mod debug;
mod enter;
mod entry;
mod errors;
mod hand_off;
mod handle;
mod inbox;
mod keyed;
mod methods;
mod owned;
mod release;
mod scoped;
mod stack;
mod unwind_state;

pub use self::stack::Key;
pub(crate) use context::ReportingStack;
pub use context::{
    AllErrors, ExitStackContext, ScopedExitStackContext, exit_stack, scoped_exit_stack,
};
pub use enter::{EnterKeyed, EnterLent, EnterOnStack};
pub use errors::ExitErrors;
pub use handle::StackHandle;
pub use inbox::StackClosed;
pub use keyed::EntryKey;
pub use owned::{AsyncExitStack, StackError};
pub use release::{Release, ReleasedBy};
pub use scoped::ScopedExitStack;
pub use unwind_state::{Catching, Plain, StackMode};
