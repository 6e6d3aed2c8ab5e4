//! One clean-up, as seen by those who wait for it.
//!
//! An entry holds the state and the wakers. The code that runs belongs to the [task](super::task). So an entry can be
//! shared between threads, also if its clean-up stays on one.

use core::task::{Context, Poll};
use std::boxed::Box;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Instant;
use std::vec::Vec;

use super::failures::Failures;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{AtomicUsize, Mutex, Ordering, lock};
use crate::platform::wakers::Wakers;
use crate::report::Identity;

/// One clean-up. It is shared between its task, the nest in which it was left, and the registry.
pub(crate) struct NestEntry {
    pub(super) identity: Identity,
    /// Where it goes on.
    pub(crate) runtime: RuntimeId,
    /// Its use was dropped during the set-up.
    pub(super) began_in_set_up: bool,
    pub(super) began: Instant,
    /// Receives a copy of its reports, if `try_settled` waits for it.
    pub(super) listener: Option<Arc<Failures>>,
    /// [`RUNNING`], [`ENDED`] or [`LEFT`].
    stage: AtomicUsize,
    /// Not 0 if an exit has waited for it as long as exits wait. Then no other exit waits for it.
    is_late: AtomicUsize,
    state: Mutex<State>,
}

const RUNNING: usize = 0;
/// It has ended, and nothing of its nest is left.
const ENDED: usize = 1;
/// It has ended, and its nest had entries that it did not wait for.
const LEFT: usize = 2;

#[derive(Default)]
struct State {
    /// The wakers of those who wait, each under the number of the waiter.
    waiting: Wakers<usize>,
    /// What gets its last poll when this clean-up has ended.
    after: Vec<Box<dyn LastPoll + Send>>,
    /// The entries that it waits for, or will wait for. Since it has ended: those that it left.
    inside: Vec<Arc<NestEntry>>,
    /// Of those that wait for it, the one that was added last. It does not wait for that one: there are no rings.
    outer: Weak<NestEntry>,
    /// How many `drain`s wait in its code.
    drains: usize,
}

impl State {
    fn unended_inside(&self) -> Vec<Arc<NestEntry>> {
        let unended = self.inside.iter().filter(|entry| !entry.has_ended());
        unended.cloned().collect()
    }
}

/// A clean-up that gets its last poll when another one has ended.
pub(crate) trait LastPoll {
    fn last_poll(self: Box<Self>);
}

impl NestEntry {
    pub(crate) fn new(
        identity: Identity,
        runtime: RuntimeId,
        began_in_set_up: bool,
        inside: Vec<Arc<NestEntry>>,
        listener: Option<Arc<Failures>>,
    ) -> Self {
        Self {
            identity,
            runtime,
            began_in_set_up,
            began: Instant::now(),
            listener,
            stage: AtomicUsize::new(RUNNING),
            is_late: AtomicUsize::new(0),
            state: Mutex::new(State {
                inside,
                ..State::default()
            }),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage.load(Ordering::Acquire) != RUNNING
    }

    /// Whether an exit has waited for it as long as [`set_wait_limit`](crate::set_wait_limit) says.
    pub(super) fn is_late(&self) -> bool {
        self.is_late.load(Ordering::Relaxed) != 0
    }

    pub(super) fn set_late(&self) {
        self.is_late.store(1, Ordering::Relaxed);
    }

    /// Whether it has ended, and all entries that it [left](Self::left) have ended too. Then it need not be kept.
    pub(super) fn is_spent(&self) -> bool {
        match self.stage.load(Ordering::Acquire) {
            RUNNING => false,
            ENDED => true,
            // This may lock other entries while an entry that has not ended is locked, never the other way round.
            _ => unended(self.left()).is_empty(),
        }
    }

    /// What its nest had when it ended: the clean-ups that its code handed off and for which it did not wait. They
    /// belong to whoever waits for it.
    pub(super) fn left(&self) -> Vec<Arc<NestEntry>> {
        if self.stage.load(Ordering::Acquire) == LEFT {
            lock(&self.state).inside.clone()
        } else {
            Vec::new()
        }
    }

    /// Ready when it has ended. `waiter` is a number that only this waiter uses.
    pub(super) fn poll_ended(&self, waiter: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let mut state = lock(&self.state);
        // `end` takes the wakers under the same lock.
        if self.has_ended() {
            return Poll::Ready(());
        }
        let replaced = state.waiting.set(waiter, waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Marks it as ended, and keeps the entries that are left in its nest. Wakes all who wait for it, and then gives the
    /// last poll to the clean-ups that waited for it with theirs.
    pub(crate) fn end(&self, left: Vec<Arc<NestEntry>>) {
        let stage = if left.is_empty() { ENDED } else { LEFT };
        let (waiting, after, inside) = {
            let mut state = lock(&self.state);
            self.stage.store(stage, Ordering::Release);
            (
                state.waiting.take(),
                core::mem::take(&mut state.after),
                core::mem::replace(&mut state.inside, left),
            )
        };
        waiting.wake();
        drop(inside);
        last_polls::run(after);
    }

    /// Keeps `last` until this has ended. Gives it back if it has ended already.
    pub(crate) fn after<L: LastPoll + Send + 'static>(&self, last: Box<L>) -> Option<Box<L>> {
        let mut state = lock(&self.state);
        if self.has_ended() {
            return Some(last);
        }
        state.after.push(last);
        None
    }

    /// Notes that it will wait for `other`, which must not [wait for it](Self::waits_for).
    pub(super) fn add_inside(self: &Arc<Self>, other: &Arc<NestEntry>) {
        let mut state = lock(&self.state);
        if self.has_ended() {
            return;
        }
        let spent = add(&mut state.inside, other.clone());
        drop(state);
        drop(spent);
        lock(&other.state).outer = Arc::downgrade(self);
    }

    /// The entries that it waits for, or will wait for.
    pub(super) fn inside(&self) -> Vec<Arc<NestEntry>> {
        lock(&self.state).unended_inside()
    }

    /// [`inside`](Self::inside), where that may have `owner` in it or further inside.
    fn inside_that_may_reach(&self, owner: &Arc<NestEntry>) -> Vec<Arc<NestEntry>> {
        let state = lock(&self.state);
        if core::ptr::eq(state.outer.as_ptr(), Arc::as_ptr(owner)) {
            return Vec::new();
        }
        state.unended_inside()
    }

    fn take_inside(&mut self) -> Vec<Arc<NestEntry>> {
        core::mem::take(&mut lock(&self.state).inside)
    }

    /// Whether it waits for no entry.
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

    /// Whether `is_goal` holds for it, or for an entry that it waits for, directly or through others.
    pub(crate) fn reaches(self: &Arc<Self>, is_goal: impl Fn(&Arc<NestEntry>) -> bool) -> bool {
        self.reaches_by(Self::inside, is_goal)
    }

    /// Whether it waits for `owner`, directly or through others, or is that.
    ///
    /// A chain of guards that the code of `owner` drops one by one is not followed each time: `owner` waits for each.
    pub(super) fn waits_for(self: &Arc<Self>, owner: &Arc<NestEntry>) -> bool {
        self.reaches_by(
            |entry| entry.inside_that_may_reach(owner),
            |entry| Arc::ptr_eq(entry, owner),
        )
    }

    fn reaches_by(
        self: &Arc<Self>,
        inside: impl Fn(&Self) -> Vec<Arc<Self>>,
        is_goal: impl Fn(&Arc<Self>) -> bool,
    ) -> bool {
        let mut seen = HashSet::new();
        let mut open = std::vec![self.clone()];
        while let Some(entry) = open.pop() {
            if is_goal(&entry) {
                return true;
            }
            if seen.insert(Arc::as_ptr(&entry)) {
                open.extend(inside(&entry));
            }
        }
        false
    }
}

/// Adds an entry to a list. What need not be kept is moved out of the list whenever that would grow, for the caller to
/// drop.
pub(super) fn add(entries: &mut Vec<Arc<NestEntry>>, entry: Arc<NestEntry>) -> Vec<Arc<NestEntry>> {
    let spent = if entries.len() == entries.capacity() {
        take_spent(entries)
    } else {
        Vec::new()
    };
    entries.push(entry);
    spent
}

/// Moves the spent entries out of a list, and those that are in it already, and makes room for as many as remain, so that
/// adding stays cheap.
pub(super) fn take_spent(entries: &mut Vec<Arc<NestEntry>>) -> Vec<Arc<NestEntry>> {
    let mut seen = HashSet::new();
    let (spent, rest): (Vec<_>, Vec<_>) = entries
        .drain(..)
        .partition(|entry| entry.is_spent() || !seen.insert(Arc::as_ptr(entry)));
    entries.reserve(rest.len() * 2 + 4);
    entries.extend(rest);
    spent
}

/// The entries that have not ended, with what the others left, each once: several clean-ups may have left the same one.
pub(super) fn unended(entries: Vec<Arc<NestEntry>>) -> Vec<Arc<NestEntry>> {
    if entries.len() <= 1 && entries.iter().all(|entry| !entry.has_ended()) {
        return entries;
    }
    let (mut unended, mut open) = (Vec::new(), entries);
    // The ended ones are kept, so that no other entry is found at the same address.
    let (mut seen, mut ended) = (HashSet::new(), Vec::new());
    open.reverse();
    while let Some(entry) = open.pop() {
        if !seen.insert(Arc::as_ptr(&entry)) {
            continue;
        }
        if entry.has_ended() {
            open.extend(entry.left());
            ended.push(entry);
        } else {
            unended.push(entry);
        }
    }
    unended
}

impl Drop for NestEntry {
    /// Drops the entries inside without recursion, however long the chain is.
    fn drop(&mut self) {
        let mut entries = self.take_inside();
        while let Some(entry) = entries.pop() {
            if let Some(mut entry) = Arc::into_inner(entry) {
                entries.append(&mut entry.take_inside());
            }
        }
    }
}

/// Gives last polls one after the other. One may make others due, in a chain of any length.
mod last_polls {
    use super::{Box, LastPoll, Vec};
    use crate::platform::sync::per_thread;
    use crate::raw::Current;
    use std::collections::VecDeque;

    type Due = VecDeque<Box<dyn LastPoll + Send>>;

    per_thread! {
        static DUE: Current<Due, ()> = Current::nothing();
    }

    pub(super) fn run(due: Vec<Box<dyn LastPoll + Send>>) {
        if due.is_empty() {
            return;
        }
        let mut due = Due::from(due);
        // Inside a last poll, the loop further down the stack goes on with these.
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
