//! The hand-off without `std`: there is no thread-local, so there is no nest.
//!
//! Each clean-up goes to the spawner by itself, in the order of dropping, and nobody waits.

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::report::ReportKind;
use crate::{AsyncContext, Outcome};

/// Without `std` nobody waits for what was dropped inside a use.
#[derive(Default)]
pub(crate) struct Nest(());

#[allow(clippy::unused_self, reason = "as with `std`")]
impl Nest {
    /// Nothing is left.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Whether there is nothing to wait for.
    #[inline]
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        true
    }

    /// A part of the use is polled.
    #[inline]
    pub(crate) fn during<T>(&mut self, action: impl FnOnce() -> T) -> T {
        action()
    }

    /// [`during`](Self::during) as a function of its own.
    pub(crate) fn during_rarely(&mut self, action: &mut dyn FnMut()) {
        action();
    }
}

/// Drops the block of a use.
pub(crate) fn drop_block(_: &mut Nest, drop_it: &mut dyn FnMut()) {
    drop_it();
}

/// Drops the context of a use.
pub(crate) fn drop_context(_: &mut Nest, drop_it: &mut dyn FnMut()) {
    drop_it();
}

/// Without `std` no guard waits for those that were opened after it.
#[cfg(feature = "alloc")]
pub(crate) enum GuardNest {}

#[cfg(feature = "alloc")]
impl GuardNest {
    /// There is none.
    pub(crate) fn of<C>(_: &C) -> Option<Self> {
        None
    }
}

#[cfg(feature = "alloc")]
#[allow(clippy::unused_self, reason = "as with `std`")]
impl Nest {
    /// There is nothing to take over.
    pub(crate) fn absorb(&mut self, _: Option<&GuardNest>) {}
}

/// Drops a guard.
#[cfg(feature = "alloc")]
pub(crate) fn drop_guard(_: Option<&GuardNest>, drop_it: impl FnOnce()) {
    drop_it();
}

/// Drops a stack that is owned.
#[cfg(feature = "alloc")]
pub(crate) fn drop_owned(drop_it: impl FnOnce()) {
    drop_it();
}

/// Nothing is waited for.
pub(crate) fn poll_settle<C, X>(_: Pin<&mut C>, _: &mut Nest, _: &mut Context<'_>) -> Poll<()>
where
    C: AsyncContext<X>,
{
    Poll::Ready(())
}

/// Nothing is waited for.
pub(crate) fn poll_settle_before_exit<C, X>(
    _: Pin<&mut C>,
    _: &mut Nest,
    _: &mut Context<'_>,
    _: &mut Option<Outcome<X>>,
) -> Poll<()>
where
    C: AsyncContext<X>,
{
    Poll::Ready(())
}

/// Nothing is waited for.
#[cfg(feature = "alloc")]
pub(crate) fn poll_settle_part(
    _: &mut Nest,
    _: &mut Context<'_>,
    _: impl FnOnce() -> crate::report::Identity,
) -> Poll<()> {
    Poll::Ready(())
}

/// What is to be reported of a clean-up that is dropped now.
pub(crate) fn dropped<'a, E>() -> ReportKind<'a, E> {
    ReportKind::Abandoned
}

#[cfg(feature = "alloc")]
pub(crate) use background::{Kind, hand_off};

#[cfg(feature = "alloc")]
mod background {
    use alloc::boxed::Box;
    use core::future::Future;
    use core::pin::Pin;
    use core::task::{Context, Poll, Waker, ready};

    use crate::cleanup::exit::Exit;
    use crate::cleanup::runtime::Runtime;
    use crate::cleanup::spawner;
    use crate::report::Identity;

    /// The two kinds of clean-ups: those that may go to the spawner, and those that stay on one thread.
    pub(crate) trait Kind: Exit + 'static {
        /// Goes on with the clean-up, or drops it if there is no place for it.
        fn spawn(task: Task<Self>);
    }

    impl Kind for dyn Exit + Send {
        fn spawn(task: Task<Self>) {
            spawner::spawn(task);
        }
    }

    impl Kind for dyn Exit {
        /// Without `std` there is no spawner for one thread.
        fn spawn(task: Task<Self>) {
            drop(task);
        }
    }

    /// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else gives it to the
    /// spawner.
    pub(crate) fn hand_off<E: ?Sized + Kind>(exit: Pin<Box<E>>, _: Identity, _: &Runtime) {
        let is_in_set_up = exit.is_in_set_up();
        let mut task = Task { exit, is_in_set_up };
        let mut cx = Context::from_waker(Waker::noop());
        if Pin::new(&mut task).poll(&mut cx).is_pending() {
            E::spawn(task);
        }
    }

    pub(crate) struct Task<E: ?Sized> {
        exit: Pin<Box<E>>,
        is_in_set_up: bool,
    }

    impl<E: ?Sized + Exit> Future for Task<E> {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.is_in_set_up {
                if !ready!(self.exit.as_mut().poll_set_up(cx)) {
                    return Poll::Ready(());
                }
                self.is_in_set_up = false;
            }
            self.exit.as_mut().poll_exit(cx)
        }
    }
}
