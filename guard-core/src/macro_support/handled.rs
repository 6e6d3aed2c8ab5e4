//! What a function with `#[within(catch(…))]` or `#[within(attempt(…))]` returns if a `?` has left its body.

#![allow(
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]

use core::convert::Infallible;
use core::marker::PhantomData;

/// What a function results in whose error was swallowed, as if there had been nothing to do.
#[diagnostic::on_unimplemented(
    message = "a function with `#[within(catch(…))]` returns `()`, an `Option`, or a `Result` of these",
    label = "there is no `{Self}` when the error was swallowed"
)]
pub trait Swallowed {
    /// The result of a function that had nothing to do.
    fn swallowed() -> Self;
}

#[diagnostic::do_not_recommend]
impl Swallowed for () {
    fn swallowed() -> Self {}
}

#[diagnostic::do_not_recommend]
impl<T> Swallowed for Option<T> {
    fn swallowed() -> Self {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<T: Swallowed, E> Swallowed for Result<T, E> {
    fn swallowed() -> Self {
        Ok(T::swallowed())
    }
}

/// The value of a body that always returns. There is none.
///
/// Its field is private, so the compiler does not warn in the expansion that what comes after such a value is
/// unreachable, as it does after an `Infallible`.
#[derive(Clone, Copy, Debug)]
pub struct NoValue(Infallible);

/// A body that did not return has swallowed an error.
pub fn swallowed<T: Swallowed>(value: Option<NoValue>) -> T {
    match value {
        None => T::swallowed(),
        Some(NoValue(never)) => match never {},
    }
}

/// What a function results in that has all errors as its value.
#[diagnostic::on_unimplemented(
    message = "a function with `#[within(attempt(…))]` returns a `Result`, whose `Err` gets all errors",
    label = "what is returned is `{Self}`"
)]
pub trait Attempted<E> {
    /// The result of a function that has failed.
    fn failed(error: E) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E> Attempted<E> for Result<T, E> {
    fn failed(error: E) -> Self {
        Err(error)
    }
}

/// Asks of a value of a block in `catch(…)` whether it is a `Result`.
#[inline]
pub const fn kept<T>(_: &T) -> Kept<T> {
    Kept(PhantomData)
}

/// See [`kept`].
pub struct Kept<T>(PhantomData<fn() -> T>);

/// The answer for a `Result`, which the expansion does not use: so rustc warns.
#[must_use = "an `Err` that is the value of the block does not reach the context in `catch(…)`: write `?` after it. To carry a \
              `Result` out as data, wrap it: `(result,)`"]
pub struct ErrIsNotCaught;

impl<T, E> Kept<Result<T, E>> {
    /// A `Result`.
    #[inline]
    pub fn __guard_kept(self) -> ErrIsNotCaught {
        ErrIsNotCaught
    }
}

/// Found by reference, and so after the method for a `Result`.
pub trait KeptAnything {
    /// Anything else.
    #[inline]
    fn __guard_kept(&self) {}
}

impl<T> KeptAnything for Kept<T> {}

/// Stands for what a block in `attempt(…)` fails with.
///
/// It has the name and the place of the user's `attempt`, so if rustc cannot infer the error, it says to write
/// `attempt::<Error>`.
///
/// # Errors
///
/// Never: it is never called.
pub fn attempt<Error>() -> Result<Infallible, Error> {
    unreachable!("this only tells the type")
}

/// A body that did not return has failed.
pub fn attempted<T: Attempted<E>, E>(value: Result<NoValue, E>) -> T {
    match value {
        Err(error) => T::failed(error),
        Ok(NoValue(never)) => match never {},
    }
}
