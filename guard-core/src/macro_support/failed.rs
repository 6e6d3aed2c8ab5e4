//! The `?` after a context, where the context has failed, or cannot fail.
//!
//! Generated code writes `how_failed(&error).__guard_failed()`: the inherent method, for a context that cannot
//! fail, is found before the one by trait, for all others.

#![allow(
    clippy::must_use_candidate,
    clippy::unused_self,
    reason = "generated code calls all of it, and it is dispatched on"
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
    /// There cannot.
    #[inline]
    pub fn __guard_failed(self) -> NeverFailed {
        NeverFailed
    }
}

/// See [`how_failed`].
pub trait MayHaveFailed {
    /// There can.
    #[inline]
    fn __guard_failed(&self) -> HasFailed {
        HasFailed
    }
}

impl<E> MayHaveFailed for HowFailed<E> {}

/// There is no error, so a `?` asks for nothing but a function that may have one.
pub struct NeverFailed;

impl NeverFailed {
    /// What a `?` may be applied to in every function in which there may be one: what it returns.
    #[inline]
    pub fn failed<E: CannotFail, T>(self, error: E, _: Returns<T>) -> T {
        #[allow(unreachable_code, reason = "which is to be shown")]
        match error.never() {}
    }

    /// Any other error.
    #[inline]
    pub fn from<E: CannotFail, F>(self, error: E) -> F {
        #[allow(unreachable_code, reason = "which is to be shown")]
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

    /// It, converted.
    #[inline]
    pub fn from<E, F: From<E>>(self, error: E) -> F {
        error.into()
    }
}
