//! Contexts that cannot fail.

use core::convert::Infallible;

/// An error that cannot happen, for a context without `?`.
#[diagnostic::on_unimplemented(
    message = "this context can fail, with `{Self}`: use it with `.with(…)`, whose body returns a `Result`",
    label = "its errors have nowhere to go"
)]
pub trait CannotFail {
    /// How [`run`](crate::AsyncContext::run) ends.
    type NoError;

    /// Cannot be called.
    fn never(self) -> Infallible;
}

#[diagnostic::do_not_recommend]
impl CannotFail for Infallible {
    type NoError = super::form::NoError;

    #[inline]
    fn never(self) -> Infallible {
        self
    }
}
