//! What a group, its tasks and its context share.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

// Not from tokio: the models of threads have one of their own.
use super::AbortHandle;
use crate::cleanup::{Elsewhere, Leftover, Listener, Runtime, RuntimeId};
use crate::platform::panics::{Panic, contained};
use crate::platform::sync::{Mutex, lock};
use crate::report::ReportSource;

/// A group, for its context and its tasks.
pub(super) struct Group<E> {
    /// Reports the failures that nobody takes out.
    source: ReportSource<E>,
    /// Where the tasks run.
    runtime: RuntimeId,
    /// Who waits for the use of the group, and wants the reports of what the tasks leave.
    pub(super) listener: Listener,
    // Never held while a future, a destructor or a waker runs.
    state: Mutex<State<E>>,
}

struct State<E> {
    /// Whether tasks may begin.
    is_open: bool,
    /// Whether the context is gone. Then nobody takes out what a task fails with or leaves.
    is_given_up: bool,
    /// The tasks that had not ended then, for those who wait.
    elsewhere: Option<Elsewhere>,
    next: u64,
    /// The tasks that have not ended. Without a handle before `spawn` has returned.
    running: BTreeMap<u64, Option<AbortHandle>>,
    errors: Vec<E>,
    panic: Option<Panic>,
    /// The clean-ups that the tasks have left. The exit waits for them.
    leftover: Leftover,
    /// The waker of the future that waits for a failure.
    failing: Option<Waker>,
    /// The waker of the exit, which waits for the end of all tasks.
    ending: Option<Waker>,
}

impl<E> State<E> {
    fn take_leftover(&mut self) -> Leftover {
        core::mem::replace(&mut self.leftover, Leftover::none())
    }
}

/// Closes the group when it is dropped, and aborts what is left of it. If the exit was given up, reports the failures
/// that it would have returned, and leaves what it would have waited for to the enclosing use, tasks included.
pub(super) struct CloseOnDrop<E>(pub(super) Arc<Group<E>>);

impl<E> Drop for CloseOnDrop<E> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl<E> Group<E> {
    pub(super) fn new(source: ReportSource<E>) -> Arc<Self> {
        Arc::new(Self {
            source,
            runtime: Runtime::current().id(),
            listener: Listener::current(),
            state: Mutex::new(State {
                is_open: true,
                is_given_up: false,
                elsewhere: None,
                next: 0,
                running: BTreeMap::new(),
                errors: Vec::new(),
                panic: None,
                leftover: Leftover::none(),
                failing: None,
                ending: None,
            }),
        })
    }

    /// The number of tasks that have not ended.
    pub(super) fn running(&self) -> usize {
        lock(&self.state).running.len()
    }

    /// A number for a new task, unless the group is ending.
    pub(super) fn begin(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        if !state.is_open {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.running.insert(number, None);
        Some(number)
    }

    /// Notes how the task can be aborted. Aborts it if the group has begun to end meanwhile.
    pub(super) fn spawned(&self, number: u64, handle: AbortHandle) {
        let mut state = lock(&self.state);
        if state.is_open {
            if let Some(running) = state.running.get_mut(&number) {
                *running = Some(handle);
            }
            return;
        }
        drop(state);
        handle.abort();
    }

    /// Notes that a task has ended. An error or a panic of it ends the group.
    pub(super) fn task_ended(
        &self,
        number: u64,
        error: Option<E>,
        panic: Option<Panic>,
        left: Leftover,
    ) {
        let has_failed = error.is_some() || panic.is_some();
        let (mut error, mut panic) = (error, panic);
        let mut state = lock(&self.state);
        loop {
            let untold = if state.is_given_up {
                (error.take(), panic.take())
            } else if state.panic.is_some() {
                // Only one panic can go on.
                (None, panic.take())
            } else {
                (None, None)
            };
            if let (None, None) = untold {
                break;
            }
            // Before the task counts as ended: the use waits for that.
            drop(state);
            self.listener.observed(|| self.report(untold.0, untold.1));
            state = lock(&self.state);
        }
        state.running.remove(&number);
        let spent = state.leftover.absorb(left);
        if state.is_given_up {
            let is_last = state.running.is_empty();
            let last = state.elsewhere.take_if(|_| is_last);
            let left = last.map(|last| (last, state.take_leftover()));
            drop(state);
            drop(spent);
            if let Some((last, left)) = left {
                last.end(left);
            }
            return;
        }
        state.errors.extend(error);
        if panic.is_some() {
            state.panic = panic;
        }
        let is_last = state.running.is_empty();
        let failing = state.failing.take_if(|_| has_failed);
        let ending = state.ending.take_if(|_| is_last);
        drop(state);
        drop(spent);
        if has_failed {
            self.abort();
        }
        // A panic of a waker must not keep the task from ending.
        for waker in failing.into_iter().chain(ending) {
            contained(|| waker.wake());
        }
    }

    /// Aborts all tasks. No task begins any more.
    pub(super) fn abort(&self) {
        let mut state = lock(&self.state);
        state.is_open = false;
        let running = state.running.values_mut().filter_map(Option::take);
        let handles: Vec<AbortHandle> = running.collect();
        drop(state);
        for handle in handles {
            handle.abort();
        }
    }

    /// Aborts all tasks, and does what is due for those that have ended. The others do it themselves when they end, and the
    /// enclosing use waits for that.
    fn give_up(&self) {
        self.abort();
        let runs = self.running() > 0;
        let mut elsewhere = runs.then(|| Elsewhere::begin(self.source.identity(), self.runtime));
        let (errors, panic, leftover) = {
            let mut state = lock(&self.state);
            state.is_given_up = true;
            if !state.running.is_empty() {
                state.elsewhere = elsewhere.take();
            }
            (
                core::mem::take(&mut state.errors),
                state.panic.take(),
                state.take_leftover(),
            )
        };
        if let Some(elsewhere) = elsewhere {
            elsewhere.end(Leftover::none());
        }
        leftover.leave();
        self.report(errors, panic);
    }

    /// Reports failures that have no caller.
    pub(super) fn report(&self, errors: impl IntoIterator<Item = E>, panic: Option<Panic>) {
        for error in errors {
            self.source.lose(error);
        }
        if let Some(panic) = panic {
            panic.report_to(self.source);
        }
    }

    /// Waits until a task fails or panics, and takes out how.
    pub(super) async fn first_failure(&self) -> Result<E, Panic> {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut state = lock(&self.state);
            if let Some(panic) = state.panic.take() {
                return Poll::Ready(Err(panic));
            }
            if !state.errors.is_empty() {
                return Poll::Ready(Ok(state.errors.remove(0)));
            }
            let replaced = state.failing.replace(waker);
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await
    }

    /// Waits until all tasks have ended, and closes the group. The use around then waits for the clean-ups that the
    /// tasks have left.
    pub(super) async fn ended(&self) {
        let leftover = poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut state = lock(&self.state);
            if state.running.is_empty() {
                state.is_open = false;
                return Poll::Ready(state.take_leftover());
            }
            let replaced = state.ending.replace(waker);
            drop(state);
            drop(replaced);
            Poll::Pending
        })
        .await;
        leftover.leave();
    }

    /// The failures that nobody has taken out.
    pub(super) fn take_failures(&self) -> (Vec<E>, Option<Panic>) {
        let mut state = lock(&self.state);
        (core::mem::take(&mut state.errors), state.panic.take())
    }
}
