//! What a function with `#[within(catch(…))]` or `#[within(attempt(…))]` returns if a `?` has left its body.

use core::convert::Infallible;

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

/// A body that did not return has failed.
pub fn attempted<T: Attempted<E>, E>(value: Result<NoValue, E>) -> T {
    match value {
        Err(error) => T::failed(error),
        Ok(NoValue(never)) => match never {},
    }
}
