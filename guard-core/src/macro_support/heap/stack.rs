//! Finding out that an exit stack stands in the place of a context in `async_with!`: see
//! [`classify`](crate::macro_support::classify).

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "as for the others that are found so"
)]

use crate::exit_stack::{AsyncExitStack, ExitStackContext, ReportingStack, StackMode};
use crate::macro_support::IntoReporting;
use crate::macro_support::classify::Otherwise;

/// The answer for an exit stack by itself.
pub struct IsStack;

/// No type implements it: its message is the error.
#[diagnostic::on_unimplemented(
    message = "a new exit stack is no context: write `name = exit_stack::<Error>()?`",
    label = "an exit stack, which is closed by hand",
    note = "`exit_stack` makes a context that lends a stack, and closes it at the end of the block"
)]
pub trait StackAndContext {
    /// No type.
    type Context;
}

impl IsStack {
    /// Does not compile.
    #[inline]
    pub fn context<C: StackAndContext>(self, _: C) -> C::Context {
        unreachable!("the program does not compile")
    }
}

// Found as a future is: by reference, before the methods of any trait.
impl<E, M> Otherwise<AsyncExitStack<E, M>>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    /// An exit stack.
    #[inline]
    pub fn __guard_asked(&self) -> IsStack {
        IsStack
    }

    /// An exit stack.
    #[inline]
    pub fn __guard_unasked(&self) -> IsStack {
        IsStack
    }
}

impl<E> IntoReporting for ExitStackContext<E>
where
    E: 'static,
{
    type Reporting = ReportingStack<E>;

    fn into_reporting(self) -> ReportingStack<E> {
        self.reporting()
    }
}
