//! The bodies of uses that are closures.

use core::future::Future;

/// A closure that makes a future from an argument.
///
/// Every such closure is one. The trait is here to give the future a name, so that whether it is `Send`
/// can be asked where the closure also works for every lifetime.
#[diagnostic::on_unimplemented(
    message = "the body of a use is an async closure: write `async |resource| …`",
    label = "not an async closure that takes the resource",
    note = "what returns an `async` block, `|resource| async move …`, is another thing: its future cannot borrow the resource",
    note = "a body that your function was given is called in one: `async |resource| body(resource).await`"
)]
pub trait Body<A>: FnOnce(A) -> Self::Fut {
    /// The closure's future.
    type Fut: Future<Output = Self::Out>;
    /// What it results in.
    type Out;
}

#[diagnostic::do_not_recommend]
impl<A, F, Fut> Body<A> for F
where
    F: FnOnce(A) -> Fut,
    Fut: Future,
{
    type Fut = Fut;
    type Out = Fut::Output;
}

/// The body of [`Guard::drive`](crate::Guard::drive): [`AsyncFnOnce`], with a message.
#[diagnostic::on_unimplemented(
    message = "the body is an async closure: write `async |resource| …`",
    label = "not an async closure that takes the resource"
)]
pub trait DriveBody<R: ?Sized, T>: AsyncFnOnce(&mut R) -> T {}

#[diagnostic::do_not_recommend]
impl<R: ?Sized, T, F: AsyncFnOnce(&mut R) -> T> DriveBody<R, T> for F {}
