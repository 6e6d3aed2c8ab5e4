//! The default context, and the `local` one: their clean-up runs whatever happens to their user.

use alloc::boxed::Box;
use core::future::Future;
use core::marker::PhantomData;
use core::mem;
use core::panic::RefUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::conclude::Conclude;
use super::state_machine::{Coroutine, IsGuaranteed};
use crate::cleanup::RuntimeId;
use crate::cleanup::{Kind, Runtime, Unfinished, hand_off};
use crate::raw::{Ask, BesidePtr, Yielder, boxed};
use crate::report::{ReportSource, Source};
use crate::{AsyncContext, Outcome};

/// Which threads may run the clean-up of a context `C`.
pub(crate) trait Threads<C> {
    /// The clean-up as an object.
    type Unfinished: ?Sized + Kind;

    fn erase(context: Pin<Box<C>>) -> Pin<Box<Self::Unfinished>>;
}

/// Any thread may.
pub(crate) struct AnyThread;

/// Only the thread on which the context was entered. So the context stays there too.
#[rustfmt::skip] // the comment is for the user to whom rustc shows the line
pub(crate) struct OneThread(PhantomData<*const dyn LocalContextStaysOnItsThread>); // in `spawn_local`, and with `boxed_local`

/// Of no type: rustc names it where a `local` context is sent to another thread, as by `tokio::spawn`.
pub trait LocalContextStaysOnItsThread: RefUnwindSafe {}

impl<C: Unfinished + Send + 'static> Threads<C> for AnyThread {
    type Unfinished = dyn Unfinished + Send;

    fn erase(context: Pin<Box<C>>) -> Pin<Box<Self::Unfinished>> {
        context
    }
}

impl<C: Unfinished + 'static> Threads<C> for OneThread {
    type Unfinished = dyn Unfinished;

    fn erase(context: Pin<Box<C>>) -> Pin<Box<Self::Unfinished>> {
        context
    }
}

/// A [`Coroutine`] that is finished in the background if it is dropped half-way.
///
/// It owns everything it needs, and moves to the heap when it is first polled, so that a destructor can hand it off as
/// it is.
pub(crate) struct Guaranteed<R, E, X, F, Fut, O, T>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
    T: Threads<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>,
{
    state: State<R, E, X, F, Fut, O>,
    threads: PhantomData<T>,
}

type Boxed<R, E, X, F, Fut, O> = Pin<Box<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>>;

enum State<R: ?Sized, E, X, F, Fut, O>
where
    O: Source<E>,
{
    Start(F, O),
    Running(Boxed<R, E, X, F, Fut, O>, Runtime),
    /// Handed off, or being started.
    Gone,
}

impl<R, E, X, F, Fut, O> State<R, E, X, F, Fut, O>
where
    R: ?Sized,
    O: Source<E>,
{
    /// Moves the coroutine to the heap.
    #[inline(never)] // So that the polls after the first one are inlined.
    fn start(&mut self) -> Pin<&mut Coroutine<R, E, X, F, Fut, O, IsGuaranteed>> {
        // The box is allocated before the start is taken out, so the start moves once.
        let coroutine = boxed(|| match mem::replace(self, Self::Gone) {
            Self::Start(start, origin) => Coroutine::new(start, origin),
            _ => not_entered(),
        });
        let running = Self::Running(Box::into_pin(coroutine), Runtime::current());
        // The state is `Gone`, so there is nothing to drop, which the compiler does not see.
        mem::forget(mem::replace(self, running));
        self.running()
    }

    #[inline]
    fn running(&mut self) -> Pin<&mut Coroutine<R, E, X, F, Fut, O, IsGuaranteed>> {
        match self {
            Self::Running(coroutine, _) => coroutine.as_mut(),
            _ => not_entered(),
        }
    }
}

#[cold]
fn not_entered() -> ! {
    panic!("a context was used that is not entered")
}

// The coroutine, which is pinned, is in a box of its own.
impl<R, E, X, F, Fut, O, T> Unpin for Guaranteed<R, E, X, F, Fut, O, T>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
    T: Threads<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>,
{
}

impl<R, E, X, F, Fut, O, T> Guaranteed<R, E, X, F, Fut, O, T>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
    T: Threads<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>,
{
    /// Hands off the exit, which goes on without its user.
    #[cold]
    fn hand_off(&mut self) {
        if let State::Running(coroutine, runtime) = mem::replace(&mut self.state, State::Gone) {
            let identity = coroutine.report_source().identity();
            hand_off(T::erase(coroutine), identity, &runtime);
        }
    }
}

impl<R, E, X, F, Fut, O, T> AsyncContext<X> for Guaranteed<R, E, X, F, Fut, O, T>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
    T: Threads<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>,
{
    type Resource = R;
    type Error = E;

    #[inline]
    fn poll_enter(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let coroutine = match &mut self.get_mut().state {
            State::Running(coroutine, _) => coroutine.as_mut(),
            state => state.start(),
        };
        coroutine.poll_enter(cx)
    }

    #[inline]
    fn resource(self: Pin<&mut Self>) -> &mut R {
        self.get_mut().state.running().resource()
    }

    #[inline]
    fn poll_exit(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: Outcome<X>,
    ) -> Poll<Result<(), E>> {
        AsyncContext::poll_exit(self.get_mut().state.running(), cx, outcome)
    }

    #[inline]
    fn tell(self: Pin<&mut Self>, outcome: Outcome<X>) -> Option<Outcome<X>> {
        self.get_mut().state.running().tell(outcome)
    }

    #[inline]
    fn beside(self: Pin<&mut Self>, ask: Ask) -> Option<BesidePtr> {
        self.get_mut().state.running().beside(ask)
    }

    fn failure(self: Pin<&mut Self>, ask: Ask) -> Option<E> {
        self.get_mut().state.running().failure(ask)
    }

    fn runtime(&self) -> RuntimeId {
        match &self.state {
            State::Running(_, runtime) => T::Unfinished::id(runtime),
            _ => T::Unfinished::id(&Runtime::current()),
        }
    }

    fn report_source(&self) -> ReportSource<E> {
        match &self.state {
            State::Start(_, origin) => origin.report_source(),
            State::Running(coroutine, _) => coroutine.report_source(),
            State::Gone => ReportSource::of_type::<Self>(),
        }
    }
}

impl<R, E, X, F, Fut, O, T> Drop for Guaranteed<R, E, X, F, Fut, O, T>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
    T: Threads<Coroutine<R, E, X, F, Fut, O, IsGuaranteed>>,
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

/// The context of an `#[async_context]` function without `scoped` and `local`.
#[inline]
pub(crate) fn guaranteed<R, E, X, F, Fut, O>(
    start: F,
    origin: O,
) -> Guaranteed<R, E, X, F, Fut, O, AnyThread>
where
    R: ?Sized + Send + 'static,
    E: 'static,
    X: Send + 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + Send + 'static,
    Fut: Future<Output: Conclude<Error = E>> + Send + 'static,
    O: Source<E> + Send + 'static,
{
    Guaranteed {
        state: State::Start(start, origin),
        threads: PhantomData,
    }
}

/// The context of an `#[async_context(local)]` function.
#[inline]
pub(crate) fn local<R, E, X, F, Fut, O>(
    start: F,
    origin: O,
) -> Guaranteed<R, E, X, F, Fut, O, OneThread>
where
    R: ?Sized + 'static,
    E: 'static,
    X: 'static,
    F: FnOnce(Yielder<R, X, E>) -> Fut + 'static,
    Fut: Future<Output: Conclude<Error = E>> + 'static,
    O: Source<E> + 'static,
{
    Guaranteed {
        state: State::Start(start, origin),
        threads: PhantomData,
    }
}
