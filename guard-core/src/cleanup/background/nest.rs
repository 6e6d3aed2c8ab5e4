//! The nest of a use: the clean-ups that were handed off inside it.

use core::mem::{self, ManuallyDrop};
use core::task::{Context, Poll};
use core::time::Duration;
use std::boxed::Box;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::Vec;

use super::failures::Failures;
use super::guards::{GuardList, OpenGuards, Opened};
use super::limit::{SharedLimit, Timer, wait_limit};
use super::nest_entry::{NestEntry, add, take_spent, unended};
use super::registry::look_again;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{Mutex, global, lock, per_thread};
use crate::raw::{Current, Exclusive};

/// The clean-ups of the uses that were dropped unfinished in the set-up, block or exit of a use.
///
/// It is one word, and allocates nothing until it has an entry. If it is dropped with entries, they go to the enclosing
/// nest.
#[derive(Default)]
pub(crate) struct Nest {
    // `ManuallyDrop`: `Drop` empties it, so the compiler generates no drop code for it.
    contents: ManuallyDrop<Option<Box<Exclusive<Contents>>>>,
}

struct Contents {
    entries: Vec<Arc<NestEntry>>,
    /// The entries for which the exit does not wait: they go on in another runtime, or were dropped during their set-up. It
    /// waits for what is inside them, if that goes on in its own runtime.
    apart: Vec<Arc<NestEntry>>,
    /// The entries for which the exit has waited as long as it may. They belong to the enclosing use, whose exit may wait
    /// for longer.
    overtaken: Vec<Arc<NestEntry>>,
    /// The guards that were opened while this was the current nest.
    guards: Option<GuardList>,
    /// In the nest of a clean-up: the guards that were opened in the nest of the use that was dropped.
    guards_of_use: Vec<GuardList>,
    timer: Timer,
}

impl Contents {
    /// Puts the last entry apart, and what is inside it in its place.
    fn put_last_apart(&mut self) {
        if let Some(entry) = self.entries.pop() {
            if entry.is_late() {
                return drop(add(&mut self.overtaken, entry));
            }
            for inside in entry.inside() {
                drop(add(&mut self.entries, inside));
            }
            drop(add(&mut self.apart, entry));
        }
    }

    /// Takes back the entries that were put apart for which `waits` holds.
    fn take_back(&mut self, waits: impl Fn(&NestEntry) -> bool) {
        let apart = mem::take(&mut self.apart).into_iter();
        let (back, apart) = apart.partition::<Vec<_>, _>(|entry| waits(entry));
        self.apart = apart;
        self.entries.extend(back);
    }
}

/// What a thread is doing while it polls or drops something.
pub(crate) enum Doing {
    /// A use drops its context. A clean-up that is handed off by that waits for `inside` first. There may be guards
    /// among the locals of the context.
    DroppingContext {
        inside: Vec<Arc<NestEntry>>,
        taken: core::cell::Cell<bool>,
        guards: OpenGuards,
        /// How much of the time is left that the use waits for `inside`, if it has begun to wait.
        remaining: Option<Duration>,
    },
    /// A guard is dropped, and with it its context.
    DroppingGuard(Option<Opened>),
    /// A context with an exit limit is dropped. The limit holds for a clean-up that is handed off by that.
    DroppingBounded(Rc<dyn SharedLimit>),
    /// The time of an exit is up, and it is dropped with the uses in it. The cell says whether that was reported.
    Expiring(Rc<core::cell::Cell<bool>>),
    /// A clean-up is polled.
    CleaningUp(Arc<NestEntry>),
    /// Somebody wants the reports of the clean-ups that are handed off here.
    Listening(Arc<Failures>),
    /// What is dropped here belongs to no use.
    Detached,
}

per_thread! {
    pub(crate) static CURRENT: Current<Nest, Doing> = Current::nothing();
}

global! {
    /// Held while it is decided whether a clean-up waits for another, so that two such decisions cannot make a ring.
    static GRAPH: Mutex<()> = Mutex::new(());
}

impl Nest {
    /// A nest without entries.
    #[must_use]
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            contents: ManuallyDrop::new(None),
        }
    }

    /// A nest for a clean-up, with these entries. It waits for them as long as is `remaining`, if that is known.
    pub(super) fn of(
        entries: Vec<Arc<NestEntry>>,
        guards: OpenGuards,
        remaining: Option<Duration>,
    ) -> Self {
        let mut nest = Self::new();
        if !entries.is_empty() || !guards.is_empty() {
            let left = nest.contents();
            left.entries = entries;
            left.guards_of_use = guards.into_lists();
            left.timer = remaining.map_or(Timer::Set, Timer::Remaining);
        }
        nest
    }

    /// Whether it has no entry.
    #[inline]
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.contents.is_none()
    }

    /// Makes this the current nest while `action` runs: a part of the use is polled.
    #[inline]
    pub(crate) fn during<T>(&mut self, action: impl FnOnce() -> T) -> T {
        // Not `with`, which is a function of its own in the standard library and would not be inlined.
        match CURRENT.try_with(|current| current.during(self, action)) {
            Ok(result) => result,
            Err(_) => unreachable!("it has no destructor, so it is there as long as the thread"),
        }
    }

    /// [`during`](Self::during) for what is rarely called, and need not be compiled anew for every use.
    #[cold]
    pub(crate) fn during_rarely(&mut self, action: &mut dyn FnMut()) {
        self.during(action);
    }

    fn contents(&mut self) -> &mut Contents {
        let left = self.contents.get_or_insert_with(|| {
            Box::new(Exclusive::new(Contents {
                entries: Vec::new(),
                apart: Vec::new(),
                overtaken: Vec::new(),
                guards: None,
                guards_of_use: Vec::new(),
                timer: Timer::default(),
            }))
        });
        left.get_mut()
    }

    fn push(&mut self, entry: Arc<NestEntry>) {
        drop(add(&mut self.contents().entries, entry));
    }

    /// Adds the entries of a guard.
    pub(super) fn absorb_entries(&mut self, entries: Vec<Arc<NestEntry>>) {
        // Leaves out the clean-ups that wait for the one whose code runs here, and that one itself: this exit must not
        // wait for them. The use around them has them in its nest too, and waits.
        let owners = owners();
        for entry in entries {
            let in_ring = {
                let _graph = lock(&GRAPH);
                let in_ring = owners.iter().any(|owner| entry.waits_for(owner));
                if let (false, Some(owner)) = (in_ring, owners.first()) {
                    owner.add_inside(&entry);
                }
                in_ring
            };
            if !in_ring {
                self.push(entry);
            }
        }
        if !owners.is_empty() {
            look_again();
        }
    }

    /// Moves what has not ended to the enclosing nest.
    #[cold]
    fn leave_all(&mut self) {
        self.take().into_iter().for_each(leave);
    }

    /// Takes out what has not ended.
    pub(super) fn take(&mut self) -> Vec<Arc<NestEntry>> {
        let Some(mut left) = self.contents.take() else {
            return Vec::new();
        };
        let left = left.get_mut();
        let mut entries = mem::take(&mut left.entries);
        entries.append(&mut left.apart);
        entries.append(&mut left.overtaken);
        unended(entries)
    }

    /// Takes out what has not ended, for a clean-up that goes on with the exit. What was overtaken goes to the enclosing
    /// nest.
    pub(super) fn take_for_cleanup(&mut self) -> Vec<Arc<NestEntry>> {
        if let Some(left) = &mut *self.contents {
            mem::take(&mut left.get_mut().overtaken)
                .into_iter()
                .for_each(leave);
        }
        self.take()
    }

    /// The list for a guard that is opened in it.
    pub(super) fn open_guards(&mut self) -> &GuardList {
        let contents = self.contents();
        // A clean-up goes on with the list of its use.
        let of_use = contents.guards_of_use.first();
        contents
            .guards
            .get_or_insert_with(|| of_use.cloned().unwrap_or_default())
    }

    /// Whether this guard was opened in it.
    pub(super) fn has(&mut self, opened: &Opened) -> bool {
        self.contents.as_mut().is_some_and(|left| {
            let left = left.get_mut();
            let mut lists = left.guards.iter().chain(&left.guards_of_use);
            lists.any(|list| opened.is_in(list))
        })
    }

    /// The guards that were opened in it.
    pub(super) fn guards(&mut self) -> OpenGuards {
        let Some(left) = &mut *self.contents else {
            return OpenGuards::default();
        };
        let left = left.get_mut();
        let lists = left.guards.iter().chain(&left.guards_of_use);
        OpenGuards::of(lists)
    }

    /// Takes out what has not ended, for another place to leave it.
    pub(crate) fn take_leftover(&mut self) -> Leftover {
        Leftover(self.take())
    }

    /// Adds the entries that an ended clean-up of this nest has left.
    fn adopt(&mut self, ended: Option<Arc<NestEntry>>) {
        let left = ended.map_or_else(Vec::new, |ended| unended(ended.left()));
        if !left.is_empty() {
            self.during(|| left.into_iter().for_each(leave));
        }
    }

    /// Ready when all have ended for which an exit in `runtime` waits.
    pub(super) fn poll_ended(&mut self, runtime: RuntimeId, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_each_ended(cx, |entry| {
            runtime.waits_for(entry.runtime) && !entry.began_in_set_up && !entry.is_late()
        })
    }

    /// Ready when all have ended for which `waits` holds. The others are put apart.
    fn poll_each_ended(
        &mut self,
        cx: &mut Context<'_>,
        waits: impl Fn(&NestEntry) -> bool,
    ) -> Poll<()> {
        while let Some(left) = &mut *self.contents {
            let waiter = core::ptr::from_ref(&**left).addr();
            let left = left.get_mut();
            let Some(entry) = left.entries.last() else {
                break;
            };
            if entry.has_ended() {
                let ended = left.entries.pop();
                self.adopt(ended);
            } else if !waits(entry) {
                left.put_last_apart();
            } else if entry.poll_ended(waiter, cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.end_wait();
        Poll::Ready(())
    }

    /// [`poll_ended`](Self::poll_ended) that also waits for the uses that were dropped during their set-up.
    pub(super) fn poll_all_ended(&mut self, runtime: RuntimeId, cx: &mut Context<'_>) -> Poll<()> {
        let waits = |entry: &NestEntry| runtime.waits_for(entry.runtime);
        if let Some(left) = &mut *self.contents {
            left.get_mut().take_back(waits);
        }
        self.poll_each_ended(cx, waits)
    }

    /// Ready when an exit without a limit of its own has waited as long as
    /// [`set_wait_limit`](crate::set_wait_limit) says, since the first call.
    pub(super) fn poll_wait_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.contents().timer.poll(wait_limit(), cx)
    }

    /// How much of the time is left that [`poll_wait_limit`](Self::poll_wait_limit) waits, if it has begun to.
    pub(super) fn remaining(&mut self) -> Option<Duration> {
        self.contents.as_mut()?.get_mut().timer.remaining()
    }

    /// Gives up waiting, and returns the names of those that have not ended. `for_all` if no other exit is to wait for
    /// them.
    pub(super) fn overtake(&mut self, for_all: bool) -> Vec<&'static str> {
        let mut entries = mem::take(&mut self.contents().entries);
        // Also those that are in the list already: each is named once.
        drop(take_spent(&mut entries));
        let (ended, late): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.has_ended());
        if for_all {
            for entry in &late {
                entry.set_late();
            }
        }
        let names = late.iter().map(|entry| entry.identity.path()).collect();
        self.contents().overtaken.extend(late);
        self.end_wait();
        for ended in ended {
            self.adopt(Some(ended));
        }
        names
    }

    /// The wait is over: stops its clock, and frees the memory if there is no entry any more.
    fn end_wait(&mut self) {
        if let Some(left) = &mut *self.contents {
            let left = left.get_mut();
            left.timer = Timer::default();
            left.apart.retain(|entry| !entry.is_spent());
            left.overtaken.retain(|entry| !entry.is_spent());
            let mut guards = left.guards.iter().chain(&left.guards_of_use);
            let has_entries = !(left.apart.is_empty() && left.overtaken.is_empty());
            if !has_entries && guards.all(GuardList::is_empty) {
                *self.contents = None;
            }
        }
    }

    /// An entry that has to end before an exit that was to go on in the same place.
    pub(super) fn unended(&mut self, runtime: RuntimeId) -> Option<Arc<NestEntry>> {
        loop {
            let left = self.contents.as_mut()?.get_mut();
            let entry = left.entries.last()?;
            if entry.has_ended() {
                let ended = left.entries.pop();
                self.adopt(ended);
            } else if entry.runtime != runtime || entry.began_in_set_up || entry.is_late() {
                left.put_last_apart();
            } else {
                return Some(entry.clone());
            }
        }
    }
}

/// The clean-ups that a nest had when it ended. If it is dropped, they go to the nest that is current then.
pub(crate) struct Leftover(Vec<Arc<NestEntry>>);

impl Leftover {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds those of another nest. Returns those that need not be kept, to be dropped outside a lock.
    #[must_use]
    pub(crate) fn absorb(&mut self, mut other: Self) -> Self {
        let mut spent = Vec::new();
        for entry in mem::take(&mut other.0) {
            spent.append(&mut add(&mut self.0, entry));
        }
        Self(spent)
    }

    /// For the entry of what has left them.
    pub(super) fn into_entries(mut self) -> Vec<Arc<NestEntry>> {
        mem::take(&mut self.0)
    }

    /// Puts them into the current nest.
    pub(crate) fn leave(self) {
        drop(self);
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        mem::take(&mut self.0).into_iter().for_each(leave);
    }
}

impl Drop for Nest {
    #[inline]
    fn drop(&mut self) {
        if self.contents.is_some() {
            self.leave_all();
        }
    }
}

/// The clean-ups that this thread is polling, the innermost first.
pub(crate) fn owners() -> Vec<Arc<NestEntry>> {
    let mut owners = Vec::new();
    CURRENT.with(|current| {
        current.outward(|doing, _| {
            if let Doing::CleaningUp(owner) = doing {
                owners.push(owner.clone());
            }
            !matches!(doing, Doing::Detached)
        });
    });
    owners
}

/// The clean-up in whose code this thread is, also if that code is [detached](crate::detached).
pub(super) fn innermost_owner() -> Option<Arc<NestEntry>> {
    let mut innermost = None;
    CURRENT.with(|current| {
        current.outward(|doing, _| {
            if let Doing::CleaningUp(owner) = doing {
                innermost = Some(owner.clone());
            }
            innermost.is_none()
        });
    });
    innermost
}

/// Where copies of the reports of a clean-up go that is handed off here: see [`Doing::Listening`].
pub(super) fn listener() -> Option<Arc<Failures>> {
    let mut listener = None;
    CURRENT.with(|current| {
        current.outward(|doing, _| match doing {
            Doing::Listening(failures) => {
                listener = Some(failures.clone());
                false
            }
            Doing::CleaningUp(entry) => {
                listener.clone_from(&entry.listener);
                false
            }
            Doing::Detached => false,
            _ => true,
        });
    });
    listener
}

/// Who wants the reports of the clean-ups that are handed off here, for code that is polled elsewhere.
#[derive(Clone)]
pub(crate) struct Listener(Option<Arc<Failures>>);

impl Listener {
    pub(crate) fn current() -> Self {
        Self(listener())
    }

    /// Has this listener listen while `action` runs.
    pub(crate) fn during<T>(&self, action: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(failures) => {
                let doing = Doing::Listening(failures.clone());
                CURRENT.with(|current| current.framed(&doing, action))
            }
            None => action(),
        }
    }

    /// Calls `report`, and gives this listener a copy of what that reports.
    pub(crate) fn observed(&self, report: impl FnOnce()) {
        let Some(failures) = &self.0 else {
            return report();
        };
        let mut reports = Vec::new();
        crate::report::listen(&mut reports, report);
        failures.add(reports);
    }
}

/// Puts a clean-up into the nest to which it belongs: the current one, or a nest further out if it would otherwise wait
/// for itself.
pub(crate) fn leave(entry: Arc<NestEntry>) {
    if entry.has_ended() {
        return unended(std::vec![entry]).into_iter().for_each(leave);
    }
    let owners = owners();
    if owners.is_empty() {
        leave_in_current(entry);
        return;
    }
    {
        let _graph = lock(&GRAPH);
        // A clean-up for which this one waits, directly or through others, must not wait for it.
        let in_ring = owners
            .iter()
            .take_while(|owner| !entry.is_alone() && entry.waits_for(owner));
        let in_ring = in_ring.count();
        if let Some(owner) = owners.get(in_ring) {
            owner.add_inside(&entry);
        }
        if in_ring == 0 {
            leave_in_current(entry);
        } else {
            leave_outside(in_ring, &entry);
        }
    }
    look_again();
}

fn leave_in_current(entry: Arc<NestEntry>) {
    CURRENT.with(|current| {
        current.with(|nest| {
            if let Some(nest) = nest {
                nest.push(entry);
            }
        });
    });
}

/// Puts `entry` outside the innermost `owners` clean-ups that this thread polls: into the nest that was current when the
/// outermost of them began to be polled.
fn leave_outside(owners: usize, entry: &Arc<NestEntry>) {
    let mut seen = 0;
    CURRENT.with(|current| {
        current.outward(|doing, under| {
            seen += usize::from(matches!(doing, Doing::CleaningUp(_)));
            if seen < owners {
                return true;
            }
            if let Some(nest) = under {
                nest.push(entry.clone());
            }
            false
        });
    });
}
