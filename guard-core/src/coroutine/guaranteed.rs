//! The default context: one that is finished whatever happens to its user.

use alloc::boxed::Box;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::scoped::Coroutine;
#[cfg(feature = "std")]
use crate::cleanup::RuntimeId;
use crate::cleanup::{Runtime, hand_off};
use crate::macro_support::Conclude;
use crate::raw::{Anchor, boxed};
use crate::report::{Identity, Origin};
use crate::{AsyncContext, Outcome};

/// A [`Coroutine`] that is finished in the background when it is dropped half-way.
///
/// It owns all it needs, and moves to the heap when it is first polled, so that a destructor can hand
/// it on as it stands.
pub(crate) struct Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    state: State<R, E, X, F, Fut>,
}

type Boxed<R, E, X, F, Fut> = Pin<Box<Coroutine<R, E, X, F, Fut>>>;

enum State<R: ?Sized, E, X, F, Fut> {
    Start(F, Origin<E>),
    Running(Boxed<R, E, X, F, Fut>, Runtime),
    /// Handed on, or being started.
    Gone,
}

// What is pinned lies in a box of its own.
impl<R, E, X, F, Fut> Unpin for Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
}

impl<R, E, X, F, Fut> Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    /// Its exit goes on without its user.
    #[cold]
    fn hand_off(&mut self) {
        if let State::Running(coroutine, runtime) = mem::replace(&mut self.state, State::Gone) {
            let who = coroutine.identity().who();
            hand_off(coroutine, who, &runtime);
        }
    }

    #[inline]
    fn running(self: Pin<&mut Self>) -> Pin<&mut Coroutine<R, E, X, F, Fut>> {
        match &mut self.get_mut().state {
            State::Running(coroutine, _) => coroutine.as_mut(),
            _ => panic!("a context was used that is not entered"),
        }
    }
}

impl<R, E, X, F, Fut> AsyncContext<X> for Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    type Resource = R;
    type Error = E;

    #[inline]
    fn poll_enter(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if matches!(self.state, State::Start(..)) {
            let runtime = Runtime::current();
            // Taken out when there is a place for it, so that it is moved once.
            let coroutine = boxed(|| match mem::replace(&mut self.state, State::Gone) {
                State::Start(start, origin) => Coroutine::new(start, origin, true),
                _ => unreachable!("it was not started"),
            });
            let running = State::Running(Box::into_pin(coroutine), runtime);
            // There is nothing to drop, which the compiler does not see.
            mem::forget(mem::replace(&mut self.state, running));
        }
        self.running().poll_enter(cx)
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut R {
        self.running().resource()
    }

    #[inline]
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>> {
        self.running().poll_exit(cx, outcome)
    }

    #[inline]
    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        self.running().tell(outcome)
    }

    #[cfg(feature = "std")]
    fn runtime(&self) -> RuntimeId {
        match &self.state {
            State::Running(_, runtime) => runtime.id(),
            _ => Runtime::current().id(),
        }
    }

    fn identity(&self) -> Identity<E> {
        match &self.state {
            State::Start(_, origin) => origin.identity(),
            State::Running(coroutine, _) => coroutine.identity(),
            State::Gone => Identity::of_type::<Self>(),
        }
    }
}

impl<R, E, X, F, Fut> Drop for Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    #[inline]
    fn drop(&mut self) {
        if let State::Running(coroutine, _) = &mut self.state {
            if coroutine.as_mut().is_unfinished() {
                self.hand_off();
            }
        }
    }
}

/// The context of an `#[async_context]` function without `scoped`.
#[inline]
pub(crate) fn guaranteed<R, E, X, F, Fut>(
    start: F,
    origin: Origin<E>,
) -> Guaranteed<R, E, X, F, Fut>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Anchor<R, X>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
{
    Guaranteed {
        state: State::Start(start, origin),
    }
}
