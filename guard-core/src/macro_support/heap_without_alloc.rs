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

/// In place of the copies that `owned` makes. That the feature is missing, the context itself says.
pub struct OwnedArgument<'a, T: ?Sized>(&'a T);

/// In place of an argument.
pub fn argument<T: ?Sized>(_: &T) -> OwnedArgument<'static, T> {
    unreachable!("the program does not compile")
}

impl<T: ?Sized> OwnedArgument<'_, T> {
    /// In place of an owned value of the argument.
    #[must_use]
    pub fn keep(self) -> Self {
        self
    }

    /// The reference that the body of the context sees.
    #[must_use]
    pub fn lent(&self) -> &T {
        self.0
    }

    /// In place of the value that the context owns.
    #[must_use]
    pub fn owned(&self) -> &() {
        &()
    }
}

/// In place of the copy that `owned` makes of `&self`.
pub trait KeepSelf: Sized {
    /// In place of an owned value of what was `&self`.
    #[must_use]
    fn keep_self(&self) -> Self {
        unreachable!("the program does not compile")
    }
}

impl<T> KeepSelf for T {}

/// Nothing does: the feature is missing.
#[diagnostic::on_unimplemented(
    message = "`join(…)` needs the feature `alloc` of guard-core",
    label = "the feature is missing here",
    note = "the features `std` and `tokio` include `alloc`; one context after the other, `a = first()?, b = second()?`, works without"
)]
pub trait JoinNeedsAlloc {}

/// In place of contexts that are joined: says that a feature is missing.
pub fn join<A: JoinNeedsAlloc, B>(_: A, _: B) -> Joined<A, B> {
    unreachable!("the program does not compile")
}

/// What joined contexts would be.
pub struct Joined<A, B>(PhantomData<fn() -> (A, B)>);

#[diagnostic::do_not_recommend]
impl<A: AsyncContext, B: AsyncContext> AsyncContext for Joined<A, B> {
    type Resource = JoinedResource<A::Resource, B::Resource>;
    type Error = JoinError<A::Error, B::Error>;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        unreachable!("the program does not compile")
    }

    fn resource(self: Pin<&mut Self>) -> &mut Self::Resource {
        unreachable!("the program does not compile")
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Self::Error>> {
        unreachable!("the program does not compile")
    }
}

/// What joined contexts would lend.
pub struct JoinedResource<A: ?Sized, B: ?Sized>(PhantomData<A>, PhantomData<B>);

impl<A: ?Sized, B: ?Sized> JoinedResource<A, B> {
    /// What each of them would lend.
    pub fn lend(&mut self) -> (&mut A, &mut B) {
        unreachable!("the program does not compile")
    }
}

/// What joined contexts would fail with.
pub enum JoinError<A, B> {
    /// What the first would fail with.
    First(A),
    /// What the second would fail with.
    Second(B),
}
