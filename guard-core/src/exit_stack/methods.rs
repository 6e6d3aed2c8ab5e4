//! The methods that both forms of the stack have.

use core::task::{Context, Poll};

use super::errors::ExitErrors;
use super::owned::AsyncExitStack;
use super::scoped::ScopedExitStack;
use super::stack::Key;
use super::unwind_state::{StackMode, UnwindState};
use crate::Outcome;
use crate::cleanup::WaitLimit;
use crate::raw::Ask;
use crate::report::ReportSource;

/// The methods of both forms that have no bounds. The methods with bounds are written twice, without a macro: if a caller
/// does not meet a bound, rustc shows the code of the bound, and would show this macro.
macro_rules! methods {
    (impl [$($generics:tt)*] $name:ty where [$($where:tt)*];) => {
        impl<$($generics)*> $name
        where
            $($where)*
        {
            /// The key of the entry that was added last, also by [`enter`](Self::enter), which lends instead. It stays so if that
            /// entry is released or exited. Entries of a handle do not count.
            pub fn last_key(&self) -> Option<Key> {
                self.stack.last_key()
            }

            /// Moves all entries to a new stack, and with them their keys and the handles; this one is empty
            /// then, and closing it does nothing. A key is one of the new stack from then on: it is looked up
            /// there, and is of no entry here. What goes on [beside](crate::yield_resource#beside-the-block) the entries
            /// stands still from then on, since nobody drives it; it is dropped when they are exited.
            ///
            /// Python: `pop_all`.
            pub fn pop_all(&mut self) -> Self {
                self.take()
            }

            /// Exits all entries, last in first out, those included that are added meanwhile. The stack is
            /// empty then, and can be used again.
            ///
            /// Python: `aclose`, which is always told that all went well.
            ///
            /// # Errors
            ///
            /// All errors of the entries, in the order in which they happened; on a stack that catches, also
            /// that of the outcome, unless it was swallowed.
            ///
            /// # Panics
            ///
            /// With the first panic of an entry, when all have been exited.
            ///
            /// # Cancellation
            ///
            /// Dropping the future keeps what is left, and the entry that is being exited stays half-way: the
            /// next `close` goes on from there, with the outcome of the first; an error that the next one is told
            /// is added. If the stack is dropped instead,
            /// the entry goes on, and the others are told `Cancelled`.
            // rustc shows the first line if the outcome is missing.
            #[rustfmt::skip]
            pub async fn close(&mut self, outcome: Outcome<M::Caught>) // all went well? `stack.aclose().await?`
            -> Result<(), ExitErrors<E>> {
                let mut outcome = Some(outcome);
                let state = core::future::poll_fn(|cx| self.poll_close(cx, &mut outcome)).await;
                state.finish(None)
            }

            /// Exits all entries, as [`close`](Self::close) does with [`Outcome::Completed`], and ends the stack.
            ///
            /// Python: `aclose`.
            ///
            /// # Errors
            ///
            /// The error of the entry that failed first. The others are [reported](crate::set_reporter);
            /// [`close`](Self::close) returns them all.
            ///
            /// # Panics
            ///
            /// With the first panic of an entry, when all have been exited. Their errors are reported then.
            ///
            /// # Cancellation
            ///
            /// Dropping the future drops the stack, whose remaining entries are told
            /// [`Cancelled`](Outcome::Cancelled).
            #[doc(alias = "exit")]
            pub async fn aclose(mut self) -> Result<(), E> {
                let mut outcome = Some(Outcome::Completed);
                let state = core::future::poll_fn(|cx| self.poll_close(cx, &mut outcome)).await;
                state.finish_primary(None)
            }

            /// The error with which something beside an entry has failed, and whose it is.
            pub(super) fn failure(&mut self, ask: Ask) -> Option<(E, ReportSource<E>)> {
                self.stack.failure::<M>(ask)
            }

            pub(super) fn end_of_use(&mut self, outcome: Outcome<M::Caught>) {
                self.stack.end_of_use::<M>(outcome);
            }

            pub(super) fn poll_close(
                &mut self,
                cx: &mut Context<'_>,
                outcome: &mut Option<Outcome<M::Caught>>,
            ) -> Poll<UnwindState<E>> {
                if let Some(outcome) = outcome.take() {
                    self.stack.begin::<M>(outcome);
                }
                self.stack.poll_unwinding::<M>(cx)
            }

            /// Called at each poll while the use of the stack waits. Goes on with the exits that have begun.
            pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> WaitLimit {
                let _ = self.stack.poll_begun::<M>(cx);
                WaitLimit::General
            }

            pub(super) fn report_source(&self) -> ReportSource<E> {
                self.stack.source
            }
        }
    };
}

methods! {
    impl [E, M] AsyncExitStack<E, M> where [E: 'static, M: StackMode<E> + 'static];
}

methods! {
    impl ['a, E, M] ScopedExitStack<'a, E, M> where [E: 'a, M: StackMode<E> + 'a];
}
