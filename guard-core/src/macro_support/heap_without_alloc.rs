//! The module `heap` without the feature `alloc`: its messages say that the feature is missing.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Conclude;
use crate::raw::Yielder;
use crate::report::Print;
use crate::{AsyncContext, Outcome};

/// In place of the context of a function with `#[async_context]`: says that a feature is missing.
pub fn guaranteed<R, E, X, F, Fut>(_: F, _: impl Print<E>) -> Missing<R, E, X>
where
    R: ?Sized,
    F: FnOnce(Yielder<R, X, E>) -> Fut,
    Fut: Future<Output: Conclude<Error = E>>,
    Yielder<R, X, E>: NeedsAlloc,
{
    unreachable!("the program does not compile")
}

/// What a guaranteed context would be.
pub struct Missing<R: ?Sized, E, X>(PhantomData<fn(X, E) -> *const R>);

impl<R: ?Sized, E, X> AsyncContext<X> for Missing<R, E, X> {
    type Resource = R;
    type Error = E;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        unreachable!("the program does not compile")
    }

    fn resource(self: Pin<&mut Self>) -> &mut R {
        unreachable!("the program does not compile")
    }

    fn poll_exit(self: Pin<&mut Self>, _: &mut Context<'_>, _: Outcome<X>) -> Poll<Result<(), E>> {
        unreachable!("the program does not compile")
    }
}

/// Nothing does: the feature is missing.
#[diagnostic::on_unimplemented(
    message = "a context that is not `scoped` needs the feature `alloc` of guard-core",
    label = "its clean-up may go on after its user, so it lies on the heap",
    note = "the features `std` and `tokio` include `alloc`; `#[async_context(scoped)]` works without"
)]
pub trait NeedsAlloc {}

/// In place of the context of a function with `#[async_context(local)]`: says that a feature is missing.
pub use self::guaranteed as local;
