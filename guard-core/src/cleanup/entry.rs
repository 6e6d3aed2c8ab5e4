//! One clean-up, as those see it who wait for it.
//!
//! It holds the state and the wakers, not what is to be done: that belongs to the [task](super::task).

use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::sync::Arc;
use std::time::Instant;
use std::vec::Vec;

use super::runtime::RuntimeId;
use crate::platform::panics::catch;
use crate::platform::sync::{AtomicBool, Mutex, Ordering, lock};
use crate::report::{OwnedReport, Who};

/// One clean-up. It is shared between its task, the nest in which it was left, and the registry.
pub(crate) struct Entry {
    pub(super) who: Who,
    /// Where it goes on.
    pub(super) runtime: RuntimeId,
    /// Its use was dropped while it was being entered.
    pub(super) began_in_set_up: bool,
    pub(super) began: Instant,
    /// Who wants to know what it reports.
    pub(super) listener: Option<Arc<Failures>>,
    ended: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One slot for each that waits, under its number.
    waiting: Vec<(usize, Waker)>,
    /// What gets its last poll when this has ended.
    after: Vec<Box<dyn LastPoll>>,
    /// What it waits for, or will, as far as that is in nests.
    inside: Vec<Arc<Entry>>,
    /// How many `drain`s wait in its code.
    drains: usize,
}

/// What gets its last poll when something else has ended.
pub(crate) trait LastPoll: Send {
    fn last_poll(self: Box<Self>);
}

/// What clean-ups reported.
pub(crate) struct Failures(Mutex<Vec<OwnedReport>>);

impl Failures {
    pub(super) fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn add(&self, reports: Vec<OwnedReport>) {
        if !reports.is_empty() {
            lock(&self.0).extend(reports);
        }
    }

    pub(super) fn take(&self) -> Vec<OwnedReport> {
        core::mem::take(&mut *lock(&self.0))
    }
}

impl Entry {
    pub(crate) fn new(
        who: Who,
        runtime: RuntimeId,
        began_in_set_up: bool,
        inside: Vec<Arc<Entry>>,
        listener: Option<Arc<Failures>>,
    ) -> Self {
        Self {
            who,
            runtime,
            began_in_set_up,
            began: Instant::now(),
            listener,
            ended: AtomicBool::new(false),
            state: Mutex::new(State {
                inside,
                ..State::default()
            }),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Ready when it has ended. `waiter` is a number that only this waiter uses.
    pub(super) fn poll_ended(&self, waiter: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended() {
            return Poll::Ready(());
        }
        let mut waker = Some(cx.waker().clone());
        let replaced = {
            let mut state = lock(&self.state);
            // `end` takes the wakers under the same lock.
            if self.has_ended() {
                None
            } else {
                let slot = state.waiting.iter_mut().find(|(other, _)| *other == waiter);
                match (slot, waker.take()) {
                    (Some((_, old)), Some(waker)) => Some(core::mem::replace(old, waker)),
                    (None, Some(waker)) => {
                        state.waiting.push((waiter, waker));
                        return Poll::Pending;
                    }
                    (_, None) => None,
                }
            }
        };
        drop(replaced);
        if waker.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// It has ended: wakes all who wait, and gives those their last poll that were left for it.
    pub(crate) fn end(&self) {
        let (waiting, after, inside) = {
            let mut state = lock(&self.state);
            self.ended.store(true, Ordering::Release);
            (
                core::mem::take(&mut state.waiting),
                core::mem::take(&mut state.after),
                core::mem::take(&mut state.inside),
            )
        };
        for (_, waker) in waiting {
            contained(|| waker.wake());
        }
        drop(inside);
        last_polls::run(after);
    }

    /// Leaves `last` for when this has ended; gives it back if it has.
    pub(crate) fn after<L: LastPoll + 'static>(&self, last: Box<L>) -> Option<Box<L>> {
        let mut state = lock(&self.state);
        if self.has_ended() {
            return Some(last);
        }
        state.after.push(last);
        None
    }

    /// Notes that it will wait for `other`.
    pub(super) fn add_inside(&self, other: Arc<Entry>) {
        let mut state = lock(&self.state);
        if self.has_ended() {
            return;
        }
        let ended = if state.inside.len() == state.inside.capacity() {
            take_ended(&mut state.inside)
        } else {
            Vec::new()
        };
        state.inside.push(other);
        drop(state);
        drop(ended);
    }

    /// What it waits for, or will.
    pub(super) fn inside(&self) -> Vec<Arc<Entry>> {
        let state = lock(&self.state);
        let unended = state.inside.iter().filter(|entry| !entry.has_ended());
        unended.cloned().collect()
    }

    fn take_inside(&mut self) -> Vec<Arc<Entry>> {
        core::mem::take(&mut lock(&self.state).inside)
    }

    /// Whether it waits for nothing that is left in nests.
    pub(super) fn is_alone(&self) -> bool {
        lock(&self.state).inside.is_empty()
    }

    pub(super) fn count_drain(&self) {
        lock(&self.state).drains += 1;
    }

    pub(super) fn uncount_drain(&self) {
        lock(&self.state).drains -= 1;
    }

    pub(super) fn is_draining(&self) -> bool {
        lock(&self.state).drains > 0
    }

    /// Whether it waits for one of those that `is_goal` names, directly or through others, or is one itself.
    pub(crate) fn reaches(self: &Arc<Self>, is_goal: impl Fn(&Arc<Entry>) -> bool) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut open = std::vec![self.clone()];
        while let Some(entry) = open.pop() {
            if is_goal(&entry) {
                return true;
            }
            if seen.insert(Arc::as_ptr(&entry)) {
                open.extend(entry.inside());
            }
        }
        false
    }
}

/// Moves what has ended out of a list, and makes room for as many as are left, so that adding stays cheap.
pub(super) fn take_ended(entries: &mut Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
    let (ended, left): (Vec<_>, Vec<_>) = entries.drain(..).partition(|entry| entry.has_ended());
    entries.reserve(left.len() * 2 + 4);
    entries.extend(left);
    ended
}

impl Drop for Entry {
    /// Drops those inside without recursion, however long the chain is.
    fn drop(&mut self) {
        let mut entries = self.take_inside();
        while let Some(entry) = entries.pop() {
            if let Some(mut entry) = Arc::into_inner(entry) {
                entries.append(&mut entry.take_inside());
            }
        }
    }
}

/// Calls what is not the library's own code, and keeps its panic from those that wait.
pub(super) fn contained(action: impl FnOnce()) {
    if let Err(panic) = catch(action) {
        panic.discard();
    }
}

/// Last polls that are due, one after the other: one may make others due, in a chain of any length.
mod last_polls {
    use super::{Box, LastPoll, Vec};
    use crate::raw::Current;
    use std::collections::VecDeque;

    type Due = VecDeque<Box<dyn LastPoll>>;

    #[cfg(not(guard_loom))]
    std::thread_local! {
        static DUE: Current<Due, ()> = const { Current::nothing() };
    }
    #[cfg(guard_loom)]
    loom::thread_local! {
        static DUE: Current<Due, ()> = Current::nothing();
    }

    pub(super) fn run(due: Vec<Box<dyn LastPoll>>) {
        if due.is_empty() {
            return;
        }
        let mut due = Due::from(due);
        // If this is called by a last poll, whoever called that goes on with these.
        DUE.with(|current| {
            current.with(|outer| {
                if let Some(outer) = outer {
                    outer.append(&mut due);
                }
            });
        });
        while let Some(next) = due.pop_front() {
            DUE.with(|current| current.during(&mut due, || next.last_poll()));
        }
    }
}
