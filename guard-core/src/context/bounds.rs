//! What the methods of [`AsyncContext`] ask of their arguments, with what rustc says where that is not met.

use core::convert::Infallible;

use super::body::Body;
use crate::AsyncContext;
use crate::using::form::{BothErrors, FirstError};

/// Every error into which `F`, that of a context, converts: `From<F>`.
///
/// A context that cannot fail has the error [`Infallible`], from which few errors are made. It becomes
/// one that might fail with any error by [`with_error`](AsyncContext::with_error).
#[diagnostic::on_unimplemented(
    message = "the error of this context, `{F}`, does not become `{Self}`",
    label = "`{F}` does not convert into `{Self}`",
    note = "a context that cannot fail, whose error is `Infallible`, is given one by `.with_error::<{Self}>()`",
    note = "one that can fail has its error converted: `.map_err(…)`. Or implement `From<{F}>` for `{Self}`, if one of the two is a type of your crate"
)]
pub trait FromContext<F>: From<F> {}

#[diagnostic::do_not_recommend]
impl<E: From<F>, F> FromContext<F> for E {}

/// Every context whose error converts into `E`: see [`FromContext`].
///
/// Functions ask it of a context, as in `context: impl FailsInto<E>`, and not `FromContext<C::Error>` of `E`. From an `E` with
/// few conversions rustc would then conclude what the error of the context has to be, before it looks at the context.
pub trait FailsInto<E>: AsyncContext {
    /// Converts the error.
    #[doc(hidden)]
    fn into_error(error: Self::Error) -> E;
}

// Without `do_not_recommend`, so that rustc says that the error does not convert.
impl<C, E> FailsInto<E> for C
where
    C: AsyncContext,
    E: FromContext<C::Error>,
{
    #[inline]
    fn into_error(error: C::Error) -> E {
        E::from(error)
    }
}

/// The error of a context that takes another one with [`with_error`](AsyncContext::with_error): [`Infallible`].
#[diagnostic::on_unimplemented(
    message = "`with_error` is for a context that cannot fail, and this one fails with `{Self}`",
    label = "this context has an error",
    note = "its error is converted by `.map_err(…)`"
)]
pub trait HasNoError: sealed::Sealed {
    #[doc(hidden)]
    type NoError;
}

#[diagnostic::do_not_recommend]
impl HasNoError for Infallible {
    type NoError = Self;
}

/// What a function returns: `T`, if the bounds of the function hold.
///
/// `R` is an associated type that one of the bounds is about. If that bound does not hold, there is no such type, and so the
/// value has none either. Then rustc reports the bound once, at the call, and nothing at what is done with the value.
pub type Checked<T, R> = <R as If<T>>::Then;

/// See [`Checked`].
#[doc(hidden)]
pub trait If<T> {
    /// `T`.
    type Then;
}

#[diagnostic::do_not_recommend]
impl<T, R: ?Sized> If<T> for R {
    type Then = T;
}

/// No context is one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a context is not a `Result`: it has no `.ok()` and no `.unwrap()`, since it can only fail when it is used",
    label = "a context that has not been used",
    note = "in a function that returns an `Option`: `context.with(async |resource| Ok::<_, Error>(…)).await.ok()?`",
    note = "in one that returns nothing, such as a test: `async_with!(name = context.expect(\"…\"), {{ … }})`",
    note = "to handle its errors where it is used: `async_with!(attempt(name = context?), {{ … }})`"
)]
pub trait IsResult: sealed::Sealed {}

/// Nothing has it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this needs the feature `alloc` of guard-core, which `std` and `tokio` include"
)]
pub trait HasAlloc: sealed::Sealed {}

/// Nothing has it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this needs the feature `std` of guard-core, which `tokio` includes"
)]
pub trait HasStd: sealed::Sealed {}

/// Nothing has it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(message = "this needs the feature `tokio` of guard-core")]
pub trait HasTokio: sealed::Sealed {}

/// A closure and its argument, for every closure that is a [`Body`].
///
/// rustc infers the type of the argument of `|resource| …` from this bound, and not from that of `Body`, which holds for
/// every lifetime. So what is told of a closure that is not async is what `Body` says, not that a type is needed.
#[doc(hidden)]
pub trait Called {}

#[diagnostic::do_not_recommend]
impl<F: Body<A>, A> Called for (F, A) {}

/// Implemented for `()`: the context does not want to see the block's error.
#[diagnostic::on_unimplemented(
    message = "this context catches the body's error, so it is used with `.catch(…)`",
    label = "a context that catches decides what becomes of the error",
    note = "write `context.catch(async |resource| …).await?`, whose value is `None` if the error was swallowed",
    note = "the type of one that lends a `{Self}` is `AsyncContext<Resource = {Self}, Error = E>`"
)]
pub trait Untyped: Default + sealed::Sealed {
    /// How [`with`](AsyncContext::with) ends.
    type FirstError;
    /// How [`try_with`](AsyncContext::try_with) ends.
    type BothErrors;
}

#[diagnostic::do_not_recommend]
impl Untyped for () {
    type FirstError = FirstError;
    type BothErrors = BothErrors;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for core::convert::Infallible {}
}
