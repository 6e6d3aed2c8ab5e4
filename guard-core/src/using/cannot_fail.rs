//! Contexts that cannot fail, and the form of `run`, whose body returns any value.

use core::convert::Infallible;

use super::form::{Form, Value};
use crate::is_err::is_err;
use crate::{AsyncContext, Outcome};

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
    type NoError = NoError;

    #[inline]
    fn never(self) -> Infallible {
        self
    }
}

/// There is no error to return.
pub enum NoError {}

impl<C, X, T> Form<C, X, T> for NoError
where
    C: AsyncContext<X>,
    X: Default,
    C::Error: CannotFail,
{
    type Kept = Value<T>;
    type Output = T;

    #[inline]
    fn split(output: T) -> (Outcome<X>, Value<T>) {
        let outcome = if is_err(&output) {
            Outcome::Failed(X::default())
        } else {
            Outcome::Completed
        };
        (outcome, Value(output))
    }

    #[inline]
    fn finish(kept: Value<T>) -> T {
        kept.0
    }

    #[inline]
    fn failed(error: C::Error) -> T {
        #[allow(unreachable_code, reason = "which is to be shown")]
        match error.never() {}
    }
}
