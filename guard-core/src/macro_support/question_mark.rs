//! The `?` after a context: what to do with the error of the context itself.
//!
//! Generated code writes `how_failed(&error).__guard_failed()`. rustc finds the inherent method first, which is there for
//! contexts that cannot fail, and the method of the trait for all others.

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "generated code calls these methods, and only their place matters"
)]

use core::convert::Infallible;
use core::marker::PhantomData;
use core::task::Poll;

use super::Returns;
use super::classify::NeedsNoQuestionMark;
use crate::using::CannotFail;

/// Asks whether there can be an error of this type.
#[inline]
pub const fn how_failed<E>(_: &E) -> HowFailed<E> {
    HowFailed(PhantomData)
}

/// See [`how_failed`].
pub struct HowFailed<E>(PhantomData<fn() -> E>);

impl<E: CannotFail> HowFailed<E> {
    /// There is never an error.
    #[inline]
    pub fn __guard_failed(self) -> NeverFailed {
        NeverFailed
    }
}

impl<E> HowFailed<E> {
    /// The error of a context without a `?`, which cannot be.
    #[inline]
    pub fn unasked(self, error: E) -> Infallible
    where
        E: NeedsNoQuestionMark,
    {
        error.never()
    }
}

/// See [`how_failed`].
pub trait MayHaveFailed {
    /// There may be an error.
    #[inline]
    fn __guard_failed(&self) -> HasFailed {
        HasFailed
    }
}

impl<E> MayHaveFailed for HowFailed<E> {}

/// There is never an error, so a `?` after the context needs no conversion.
pub struct NeverFailed;

impl NeverFailed {
    /// What the function returns: nothing, so that a `?` may stand in any function.
    #[inline]
    pub fn failed<E: CannotFail, T>(self, error: E, _: Returns<T>) -> T {
        #[allow(unreachable_code, reason = "there is no value")]
        match error.never() {}
    }

    /// Converts the error into any other.
    #[inline]
    pub fn from<E: CannotFail, F>(self, error: E) -> F {
        #[allow(unreachable_code, reason = "there is no value")]
        match error.never() {}
    }
}

/// What a function returns that can return an error, as a `?` does.
///
/// A `?` in the expansion would do the same, with two errors where this gives one: a `?` is also applied to a value. And what
/// rustc says of it, that `Option` would do, is not so for the errors of a context.
#[diagnostic::on_unimplemented(
    message = "the error of this context cannot leave here, where no `Result` is returned",
    label = "what is returned is `{Self}`",
    note = "return a `Result`, or handle the error where it stands: `let result: Result<_, Error> = async_with!(attempt(name = context?), {{ … }});`",
    note = "in a test, an error may be a panic: `context.expect(\"…\")`, without a `?`"
)]
pub trait TakesError {
    /// The error.
    type Error;

    /// Makes the value that the function returns.
    fn failed(error: Self::Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E> TakesError for Result<T, E> {
    type Error = E;

    #[inline]
    fn failed(error: E) -> Self {
        Err(error)
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> TakesError for Poll<Result<T, E>> {
    type Error = E;

    #[inline]
    fn failed(error: E) -> Self {
        Self::Ready(Err(error))
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> TakesError for Poll<Option<Result<T, E>>> {
    type Error = E;

    #[inline]
    fn failed(error: E) -> Self {
        Self::Ready(Some(Err(error)))
    }
}

/// Every error into which `F`, that of a context, converts.
#[diagnostic::on_unimplemented(
    message = "the error of this context, `{F}`, does not become `{Self}`",
    label = "`{F}` does not convert into `{Self}`",
    note = "have it converted: `context.map_err(…)?`. Or implement `From<{F}>` for `{Self}`, if one of the two is a type of your crate"
)]
pub trait FromFailed<F>: From<F> {}

#[diagnostic::do_not_recommend]
impl<E: From<F>, F> FromFailed<F> for E {}

/// There is an error.
pub struct HasFailed;

impl HasFailed {
    /// What the function returns.
    #[inline]
    #[track_caller]
    pub fn failed<E, T>(self, error: E, _: Returns<T>) -> T
    where
        T: TakesError<Error: FromFailed<E>>, // generic? return `C::Error`, or name it: `impl AsyncContext<Resource = R, Error = E>`
    {
        T::failed(From::from(error))
    }

    /// Converts the error.
    #[inline]
    pub fn from<E, F: From<E>>(self, error: E) -> F {
        error.into()
    }
}
