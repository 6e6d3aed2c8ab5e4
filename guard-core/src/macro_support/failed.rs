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

use super::{CannotFail, Returns};

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
    /// What the `?` is applied to: a value of the type that the function returns, which every `?` accepts.
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

/// There is an error.
pub struct HasFailed;

impl HasFailed {
    /// What the `?` is applied to.
    ///
    /// # Errors
    ///
    /// The context's.
    #[inline]
    pub fn failed<E, T>(self, error: E, _: Returns<T>) -> Result<Infallible, E> {
        Err(error)
    }

    /// Converts the error.
    #[inline]
    pub fn from<E, F: From<E>>(self, error: E) -> F {
        error.into()
    }
}
