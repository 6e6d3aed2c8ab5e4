//! What the expansion of `#[async_context]` calls.

use core::future::Future;

use crate::AsyncContext;
use crate::coroutine::Conclude;
use crate::raw::Yielder;
use crate::report::{Origin, Print};

/// The context of a function with `#[async_context(scoped)]`, named after the closure inside it.
#[track_caller]
#[inline]
pub fn scoped<R, E, X, F, Fut>(
    start: F,
    printer: impl Print<E>,
) -> impl AsyncContext<X, Resource = R, Error = E>
where
    R: ?Sized,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
{
    crate::coroutine::scoped(start, Origin::<F, _>::here(printer))
}

/// Proof that a path has yielded.
#[derive(Clone, Copy)]
pub struct Yielded;

/// Consumes the proof where the function returns `value`.
#[inline]
pub fn finish<T>(value: T, _: Yielded) -> T {
    value
}

/// With what a context ends: nothing.
///
/// Generated code asks it of what was lent, where a body seems to return that.
#[diagnostic::on_unimplemented(
    message = "a context returns no value: end it with `Ok(())`, or with nothing if it cannot fail",
    label = "a `{Self}`: what a context lends is given to `yield_resource!`"
)]
pub trait EndOfContext {
    /// The end.
    fn end(self);
}

#[diagnostic::do_not_recommend]
impl EndOfContext for () {
    #[inline]
    fn end(self) {}
}

/// A `Result`, whatever alias it was written with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` looks like a `Result` but is not one",
    label = "a type named `…Result` is taken for an alias of `Result`",
    note = "a context that lends a `{Self}` and cannot fail returns `Result<{Self}, std::convert::Infallible>`"
)]
pub trait Fallible {
    /// The resource of the context.
    type Value;
    /// What can go wrong.
    type Error;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// What a context that catches is told.
#[must_use = "to ignore the outcome is to swallow the body's error: match it, and return `Err(error)` to raise it"]
#[inline]
pub fn caught<X>(outcome: crate::Outcome<X>) -> crate::Outcome<X> {
    outcome
}

/// Stands in for a yield about which an error has been told.
pub fn misplaced_yield<X>() -> crate::Outcome<X> {
    unreachable!("the program does not compile")
}
