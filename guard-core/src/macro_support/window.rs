//! Checks of a `cancellable!` whose argument ends in `.await`: what was awaited may result in a future, but hardly does.

#![allow(
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]

use core::future::IntoFuture;
use core::marker::PhantomData;

/// What `cancellable!` waits for: a future. No type implements it: its message is the error of all that is none.
#[diagnostic::on_unimplemented(
    message = "`cancellable!` awaits the future itself: leave out the `.await`",
    label = "a `{Self}`, which is no future"
)]
pub trait AwaitedBefore {
    /// No type.
    type Future;
}

/// The answer for a future.
pub struct MayBeAwaited;

impl MayBeAwaited {
    /// Accepts it.
    #[inline]
    pub fn future<F>(self, future: F) -> F {
        future
    }
}

/// The answer for everything else.
pub struct IsAwaitedBefore;

impl IsAwaitedBefore {
    /// Does not compile.
    #[inline]
    pub fn future<F: AwaitedBefore>(self, _: F) -> F::Future {
        unreachable!("the program does not compile")
    }
}

/// Asks whether this can be awaited.
#[inline]
pub const fn waits_for<F>(_: &F) -> WaitsFor<F> {
    WaitsFor(PhantomData)
}

/// See [`waits_for`].
pub struct WaitsFor<F>(PhantomData<fn() -> F>);

impl<F: IntoFuture> WaitsFor<F> {
    /// A future.
    #[inline]
    pub fn __guard_window(self) -> MayBeAwaited {
        MayBeAwaited
    }
}

/// Found by reference, and so after the method for futures.
pub trait WaitsForAnything {
    /// Anything else.
    #[inline]
    fn __guard_window(&self) -> IsAwaitedBefore {
        IsAwaitedBefore
    }
}

impl<F> WaitsForAnything for WaitsFor<F> {}
