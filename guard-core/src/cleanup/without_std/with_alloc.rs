//! The part of the hand-off without `std` that needs the heap.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use super::Nest;
use crate::cleanup::{Cleanup, Runtime, RuntimeId, Unfinished, WaitLimit};
use crate::raw::without_std::FnCell;
use crate::report::Identity;

static SPAWNER: FnCell<fn(Cleanup)> = FnCell::new();

/// Says how to go on with the clean-up of contexts that were dropped.
///
/// The last spawner that was set counts, for the whole program.
pub fn set_spawner(spawner: fn(Cleanup)) {
    SPAWNER.set(spawner);
}

/// The two kinds of clean-ups: those that may go to the spawner, and those that stay on one thread.
pub(crate) trait Kind: Unfinished + 'static {
    /// Where it goes on. Without `std` nothing depends on it.
    fn id(runtime: &Runtime) -> RuntimeId {
        runtime.id()
    }

    /// Goes on with the clean-up, or drops it if there is no place for it.
    fn spawn(task: CleanupTask<Self>);
}

impl Kind for dyn Unfinished + Send {
    fn spawn(task: CleanupTask<Self>) {
        if let Some(spawner) = SPAWNER.get() {
            spawner(Box::pin(task));
        }
    }
}

impl Kind for dyn Unfinished {
    /// Without `std` there is no spawner for one thread.
    fn spawn(task: CleanupTask<Self>) {
        drop(task);
    }
}

/// Takes over a clean-up from a destructor: finishes it here if one poll is enough, else gives it to the
/// spawner.
pub(crate) fn hand_off<E: ?Sized + Kind>(exit: Pin<Box<E>>, _: Identity, _: &Runtime) {
    let is_in_set_up = exit.is_in_set_up();
    let mut task = CleanupTask { exit, is_in_set_up };
    let mut cx = Context::from_waker(Waker::noop());
    if Pin::new(&mut task).poll(&mut cx).is_pending() {
        E::spawn(task);
    }
}

pub(crate) struct CleanupTask<E: ?Sized> {
    exit: Pin<Box<E>>,
    is_in_set_up: bool,
}

impl<E: ?Sized + Unfinished> Future for CleanupTask<E> {
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

/// Without `std` no guard waits for guards that were opened after it. So there is no value of this type.
pub(crate) enum GuardNest {}

impl GuardNest {
    /// Returns `None`.
    pub(crate) fn of<C>(_: &C) -> Option<Self> {
        None
    }
}

#[allow(clippy::unused_self, reason = "as with `std`")]
impl Nest {
    /// There is nothing to take over.
    pub(crate) fn absorb(&mut self, _: Option<&GuardNest>) {}
}

/// Drops a guard.
pub(crate) fn drop_guard(_: Option<&GuardNest>, drop_it: impl FnOnce()) {
    drop_it();
}

/// There is nothing to wait for.
pub(crate) const fn begin_parts() -> Nest {
    Nest::new()
}

/// Drops a part of a context.
pub(crate) fn drop_part(_: &mut Nest, drop_it: &mut dyn FnMut()) {
    drop_it();
}

/// Drops a stack that is owned.
pub(crate) fn drop_owned(drop_it: impl FnOnce()) {
    drop_it();
}

/// Nothing is waited for.
pub(crate) fn poll_settle_part(
    _: &mut Nest,
    _: &mut Context<'_>,
    _: Identity,
    _: impl FnMut(&mut Context<'_>) -> WaitLimit,
) -> Poll<()> {
    Poll::Ready(())
}
