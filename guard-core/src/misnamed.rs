//! Methods that are looked for under another name, and what is written instead.
//!
//! Each is in an `impl` with a bound that no type meets. So rustc never chooses it, and looks further: a resource, to which a
//! guard dereferences, may have a method of that name. Only if there is none, the message of the bound is the error.

use crate::exit_stack::{AsyncExitStack, ScopedExitStack, StackMode};
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

/// No argument is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a context is entered on an exit stack by `.enter(context).await?`",
    label = "is given to `enter`"
)]
pub trait FilledByEnter {
    /// There is none.
    type Key;
}

/// No argument is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an asynchronous callback is added to an exit stack by `.defer(async || …)`, without an `.await`",
    label = "is given to `defer`",
    note = "the callback returns a `Result`: let it end in `Ok(())`"
)]
pub trait FilledByDefer {
    /// There is none.
    type Key;
}

/// No argument is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a callback that is told the outcome is added to an exit stack by `.push_exit(async |outcome| …)`, without an `.await`",
    label = "is given to `push_exit`",
    note = "the callback returns a `Result`: let it end in `Ok(())`"
)]
pub trait FilledByPushExit {
    /// There is none.
    type Key;
}

/// No argument is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "nothing is added to an exit stack by `push`: a context is entered by `.enter(context).await?`, and a callback is \
               added by `.defer(async || …)`",
    label = "is given to `enter`, `defer` or `push_exit`",
    note = "a callback that is told the outcome is added by `.push_exit(async |outcome| …)`"
)]
pub trait FilledByOtherNames {
    /// There is none.
    type Key;
}

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

// In a block a stack is a reference, and of a reference rustc says no message of a bound on the stack. So the bound is one of the
// argument, which no type meets: a stack dereferences to nothing that may have such a method. The value has a type that does not
// exist, so that rustc says nothing else of it. Not written by a macro, which rustc would show too.

#[allow(clippy::unused_self, reason = "to be found as methods")]
impl<E, M> AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    #[doc(hidden)]
    pub fn enter_async_context<A: FilledByEnter>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn enter_context<A: FilledByEnter>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push_async_callback<A: FilledByDefer>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push_async_exit<A: FilledByPushExit>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push<A: FilledByOtherNames>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }
}

#[allow(clippy::unused_self, reason = "to be found as methods")]
impl<E, M> ScopedExitStack<'_, E, M>
where
    M: StackMode<E>,
{
    #[doc(hidden)]
    pub fn enter_async_context<A: FilledByEnter>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn enter_context<A: FilledByEnter>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push_async_callback<A: FilledByDefer>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push_async_exit<A: FilledByPushExit>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }

    #[doc(hidden)]
    pub fn push<A: FilledByOtherNames>(&self, _: A) -> A::Key {
        unreachable!("no argument is one")
    }
}

misnamed! {
    impl [X] Outcome<X> where [X: Sized] AskedForCompletion { is_ok is_err unwrap }
}
