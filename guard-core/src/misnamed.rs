//! Methods that are looked for under another name, and what is written instead.
//!
//! Each is in an `impl` with a bound that no type meets. So rustc never chooses it, and looks further: a resource, to which a
//! guard dereferences, may have a method of that name. Only if there is none, the message of the bound is the error.

use crate::exit_stack::{AsyncExitStack, StackMode};
use crate::guard::Guard;
use crate::{AsyncContext, Outcome};

/// No guard is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a guard is ended by `.exit().await?`, which consumes it",
    label = "write `exit`",
    note = "`.exit_with(outcome)` tells the context another outcome than that all went well"
)]
pub trait EndedByExit {}

/// No guard is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the exit of a guard is limited before the context is entered: write `context.exit_timeout(…).enter().await?`",
    label = "the context has been entered",
    note = "the guard is then ended by `.exit().await?`, which takes no longer than that"
)]
pub trait LimitedBeforeEntering {}

/// No stack is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an exit stack is ended by `.aclose().await?`, or by `.close(outcome).await`",
    label = "write `aclose`",
    note = "in a block nobody has to: `async_with!(stack = exit_stack::<Error>()?, {{ … }})` closes it"
)]
pub trait EndedByAclose {}

/// No outcome is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an `Outcome` is no `Result`: whether the use has succeeded is `.is_completed()`",
    label = "write `is_completed`",
    note = "`match` tells how it has failed: `Outcome::Failed(_)`, `Outcome::Panicked`, `Outcome::Cancelled`"
)]
pub trait AskedForCompletion {}

macro_rules! misnamed {
    (impl [$($generics:tt)*] $Type:ty where [$($where:tt)*] $Reason:ident { $($name:ident)+ }) => {
        impl<$($generics)*> $Type
        where
            $($where)*,
            Self: $Reason,
        {
            $(
                #[doc(hidden)]
                pub fn $name(&self) {}
            )+
        }
    };
}

misnamed! {
    impl [C, X] Guard<C, X> where [C: AsyncContext<X>] EndedByExit { close aclose release }
}

misnamed! {
    impl [C, X] Guard<C, X> where [C: AsyncContext<X>] LimitedBeforeEntering { exit_timeout exit_until }
}

misnamed! {
    impl [E, M] AsyncExitStack<E, M> where [E: 'static, M: StackMode<E> + 'static] EndedByAclose { exit }
}

misnamed! {
    impl [X] Outcome<X> where [X: Sized] AskedForCompletion { is_ok is_err unwrap }
}
