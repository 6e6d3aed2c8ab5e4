//! The contexts on the heap that the expansion of `#[async_context]` makes.

use core::future::Future;

use crate::AsyncContext;
use crate::coroutine::{Conclude, guaranteed as coroutine};
use crate::raw::Yielder;
use crate::report::{Origin, Print};

/// The context of a function with `#[async_context]`.
#[track_caller]
#[inline]
pub fn guaranteed<R, E, X, F, Fut>(
    start: F,
    printer: impl Print<E> + 'static,
) -> impl AsyncContext<X, Resource = R, Error = E> + Send + 'static
where
    R: ?Sized + Send + 'static, // what it lends; with `local` or `scoped` it need not be `Send`
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static, // what it keeps; else `#[async_context(local)]` or `(scoped)`
{
    coroutine::guaranteed(start, Origin::<F, _>::here(printer))
}

/// The context of a function with `#[async_context(local)]`.
#[track_caller]
#[inline]
pub fn local<R, E, X, F, Fut>(
    start: F,
    printer: impl Print<E> + 'static,
) -> impl AsyncContext<X, Resource = R, Error = E> + 'static
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
{
    coroutine::local(start, Origin::<F, _>::here(printer))
}
