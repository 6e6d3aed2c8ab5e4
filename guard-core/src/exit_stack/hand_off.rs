//! Moves the entries of an owned stack to another stack, or hands them off.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::handle::StackHandle;
use super::owned::{AsyncExitStack, Owned};
use super::stack::Stack;
use super::unwind_state::StackMode;
use crate::cleanup::{Runtime, Unfinished, drop_owned, hand_off};
use crate::platform::panics::Panic;
use crate::using::beside_list::HandleSide;

impl<E, M> AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    pub(super) fn take(&mut self) -> Self {
        self.beside_list.clear();
        Self {
            stack: self.stack.take(),
            beside_list: HandleSide::nowhere(),
            runtime: self.runtime.clone(),
            is_context: false,
            hand_off: self.hand_off,
        }
    }

    /// A use enters the stack: its clean-up goes on in the runtime of that use.
    pub(super) fn entered(&mut self) {
        self.runtime = Runtime::current();
        self.is_context = true;
    }

    pub(super) fn runtime(&self) -> crate::cleanup::RuntimeId {
        self.runtime.id()
    }

    /// Adds entries from elsewhere, also while the stack is being closed: those are exited next.
    pub fn handle(&mut self) -> StackHandle<E, M> {
        StackHandle {
            inbox: self.stack.inbox(),
            source: self.stack.source,
        }
    }
}

impl<E, M> Drop for AsyncExitStack<E, M>
where
    E: 'static,
    M: StackMode<E> + 'static,
{
    fn drop(&mut self) {
        if self.stack.close_if_empty() {
            return;
        }
        (self.hand_off)(self);
    }
}

impl<E, M> AsyncExitStack<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    /// Hands off the exit of the entries, which goes on without the stack.
    #[cold]
    pub(super) fn hand_off(&mut self) {
        self.beside_list.clear();
        let mut stack = self.stack.take();
        stack.cancel();
        let left = Orphan::<E, M> {
            stack,
            _mode: core::marker::PhantomData,
        };
        let runtime = if self.runtime.is_some() {
            self.runtime.clone()
        } else {
            Runtime::current()
        };
        let identity = left.stack.source.identity();
        let left: Pin<Box<dyn Unfinished + Send>> = Box::pin(left);
        if self.is_context {
            hand_off(left, identity, &runtime);
        } else {
            drop_owned(|| hand_off(left, identity, &runtime));
        }
    }
}

/// A stack whose owner is gone.
struct Orphan<E, M> {
    stack: Stack<Owned<E, M>, E>,
    _mode: core::marker::PhantomData<fn() -> M>,
}

impl<E, M> Unpin for Orphan<E, M> {}

impl<E, M> Unfinished for Orphan<E, M>
where
    E: Send + 'static,
    M: StackMode<E> + 'static,
{
    fn poll_exit(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // The panics of entries are caught one by one.
            ready!(self.stack.poll_unwinding::<M>(cx)).finish_unheard();
            if self.stack.close_if_empty() {
                return Poll::Ready(());
            }
            self.stack.cancel();
        }
    }

    fn has_begun(mut self: Pin<&mut Self>) -> bool {
        self.stack.is_exiting()
    }

    fn poll_begun(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        // The other entries wait for what the block of the use has dropped.
        self.stack.poll_begun::<M>(cx).map(|()| true)
    }

    fn poll_last(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.stack.poll_last::<M>(cx);
        Poll::Ready(())
    }

    fn panicked(&self, panic: Panic) {
        panic.report_to(self.stack.source);
    }
}
