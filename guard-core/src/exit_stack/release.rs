//! Exiting one entry early.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::entry::StackEntry;
use super::stack::{Key, Numbered, Stack, drop_exited, exit_entry};
use super::unwind_state::{StackMode, UnwindState};

/// What names an entry of a stack that is released: a [`Key`], or an [`EntryKey`](crate::EntryKey).
#[diagnostic::on_unimplemented(
    message = "an entry of an exit stack is released by its key, and this is `{Self}`",
    label = "not a key",
    note = "`enter_keyed` returns a key; after any other method, `stack.last_key()` is that of the entry which it has added",
    note = "what goes early while others stay in use is better entered by itself: `context.enter().await?`, and later `guard.exit().await?`"
)]
pub trait ReleasedBy: Into<Key> {}

#[diagnostic::do_not_recommend]
impl<K: Into<Key>> ReleasedBy for K {}

/// The future of [`AsyncExitStack::release`](crate::AsyncExitStack::release).
///
/// It has no bound: else rustc would report a bound of `release` that is not met again at the `.await`.
#[must_use = "the entry is exited when this is awaited: `.await`"]
pub struct Release<'s, T: ?Sized, E, M> {
    /// `None` from the first poll on, which looks the entry up.
    key: Option<Key>,
    /// The entry, which goes back to the stack if this is not awaited to its end.
    exiting: Option<(Box<Numbered<T>>, UnwindState<E>)>,
    stack: &'s mut Stack<T, E>,
    _mode: PhantomData<fn() -> M>,
}

impl<'s, T: ?Sized, E, M> Release<'s, T, E, M> {
    pub(super) fn new(stack: &'s mut Stack<T, E>, key: Key) -> Self {
        Self {
            key: Some(key),
            exiting: None,
            stack,
            _mode: PhantomData,
        }
    }
}

// The entry lies in a box.
impl<T: ?Sized, E, M> Unpin for Release<'_, T, E, M> {}

impl<T, E, M> Future for Release<'_, T, E, M>
where
    T: StackEntry<E, M> + ?Sized,
    M: StackMode<E>,
{
    type Output = Result<bool, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<bool, E>> {
        let this = &mut *self;
        if let Some(key) = this.key.take() {
            let entry = this.stack.remove(key);
            let source = this.stack.source;
            this.exiting = entry.map(|entry| (entry, UnwindState::new(source)));
        }
        let Some((entry, state)) = &mut this.exiting else {
            return Poll::Ready(Ok(false));
        };
        ready!(exit_entry::<T, E, M>(entry, cx, state));
        let Some((entry, mut state)) = this.exiting.take() else {
            return Poll::Ready(Ok(true));
        };
        drop_exited::<T, E, M>(entry, &mut state);
        Poll::Ready(state.finish_primary(None).map(|()| true))
    }
}

impl<T: ?Sized, E, M> Drop for Release<'_, T, E, M> {
    fn drop(&mut self) {
        if let Some((entry, state)) = self.exiting.take() {
            self.stack.put_back(entry);
            state.finish_unheard();
        }
    }
}

impl<T: ?Sized, E, M> fmt::Debug for Release<'_, T, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release").finish_non_exhaustive()
    }
}
