//! The nest of a use: the clean-ups that were handed off inside it.

use core::mem::{self, ManuallyDrop};
use core::task::{Context, Poll};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::vec::Vec;

use super::entry::{Entry, Failures, take_ended};
use super::limit::{Limit, Timer, wait_limit};
use super::registry::look_again;
use super::runtime::RuntimeId;
use crate::platform::sync::{AtomicUsize, Mutex, Ordering, lock};
use crate::raw::{Current, Exclusive};

/// What is left of a use: the clean-ups of what was dropped unfinished in its set-up, block or exit.
///
/// One word, and nothing on the heap, until something is left. Dropped with entries, it leaves them in the
/// enclosing nest.
#[derive(Default)]
pub(crate) struct Nest {
    // Emptied by `Drop`, so that the compiler need not look at it again.
    left: ManuallyDrop<Option<Box<Exclusive<Left>>>>,
}

struct Left {
    number: usize,
    entries: Vec<Arc<Entry>>,
    /// Those of the entries for which no exit waits: they go on elsewhere, or began in their set-up.
    apart: Vec<Arc<Entry>>,
    /// The guards that were opened while this was the current nest.
    guards: BTreeMap<usize, Open>,
    /// How many there are when those that are gone are looked for.
    guards_to_look: usize,
    timer: Timer,
}

/// What a thread does, besides working on a use.
pub(super) enum Doing {
    /// A use drops its context. What this hands off waits for these first.
    DroppingContext {
        inside: Vec<Arc<Entry>>,
        taken: core::cell::Cell<bool>,
    },
    /// A guard is dropped, and with it its context.
    DroppingGuard(Option<Opened>),
    /// A context with an exit limit is dropped: what this hands off has the limit.
    DroppingBounded(Rc<dyn Limit>),
    /// The time of an exit is up: what this drops is given up. Whether it was reported.
    Expiring(Rc<core::cell::Cell<bool>>),
    /// A clean-up is polled.
    CleaningUp(Arc<Entry>),
    /// Somebody wants to know what clean-ups report that are handed off here.
    Listening(Arc<Failures>),
    /// What is dropped here belongs to no use.
    Detached,
}

#[cfg(not(guard_loom))]
std::thread_local! {
    pub(super) static CURRENT: Current<Nest, Doing> = const { Current::nothing() };
}
#[cfg(guard_loom)]
loom::thread_local! {
    pub(super) static CURRENT: Current<Nest, Doing> = Current::nothing();
}

/// Held while it is decided whether a clean-up waits for another, so that no two such decisions make a ring.
#[cfg(not(guard_loom))]
static GRAPH: Mutex<()> = Mutex::new(());
#[cfg(guard_loom)]
loom::lazy_static! {
    static ref GRAPH: Mutex<()> = Mutex::new(());
}

fn number() -> usize {
    #[cfg(not(guard_loom))]
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    #[cfg(guard_loom)]
    loom::lazy_static! {
        static ref NEXT: AtomicUsize = AtomicUsize::new(1);
    }
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Nest {
    /// Nothing is left.
    #[must_use]
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            left: ManuallyDrop::new(None),
        }
    }

    /// A nest with these entries.
    pub(super) fn of(entries: Vec<Arc<Entry>>) -> Self {
        let mut nest = Self::new();
        if !entries.is_empty() {
            nest.left().entries = entries;
        }
        nest
    }

    /// Whether there is nothing to wait for.
    #[inline]
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_none()
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

    fn left(&mut self) -> &mut Left {
        let left = self.left.get_or_insert_with(|| {
            Box::new(Exclusive::new(Left {
                number: number(),
                entries: Vec::new(),
                apart: Vec::new(),
                guards: BTreeMap::new(),
                guards_to_look: 16,
                timer: Timer::default(),
            }))
        });
        left.get_mut()
    }

    fn push(&mut self, entry: Arc<Entry>) {
        let left = self.left();
        if left.entries.len() == left.entries.capacity() {
            drop(take_ended(&mut left.entries));
        }
        left.entries.push(entry);
    }

    /// Adds what was left elsewhere.
    pub(crate) fn absorb(&mut self, tie: Option<&Tie>) {
        if let Some(tie) = tie {
            for entry in mem::take(&mut *lock(&tie.entries)) {
                self.push(entry);
            }
        }
    }

    /// Leaves what has not ended in the enclosing nest.
    #[cold]
    fn leave_all(&mut self) {
        self.take().into_iter().for_each(leave);
    }

    /// Takes out what has not ended.
    pub(super) fn take(&mut self) -> Vec<Arc<Entry>> {
        let Some(mut left) = self.left.take() else {
            return Vec::new();
        };
        let left = left.get_mut();
        let mut entries = mem::take(&mut left.entries);
        entries.append(&mut left.apart);
        entries.retain(|entry| !entry.has_ended());
        entries
    }

    /// Ready when all have ended for which an exit in `runtime` waits.
    pub(super) fn poll_ended(&mut self, runtime: RuntimeId, cx: &mut Context<'_>) -> Poll<()> {
        let Some(left) = &mut *self.left else {
            return Poll::Ready(());
        };
        let waiter = core::ptr::from_ref(&**left).addr();
        let left = left.get_mut();
        while let Some(entry) = left.entries.last() {
            let waits = entry.runtime == runtime && !entry.began_in_set_up;
            if waits && entry.poll_ended(waiter, cx).is_pending() {
                return Poll::Pending;
            }
            let entry = left.entries.pop();
            left.apart.extend(entry.filter(|_| !waits));
        }
        self.settled();
        Poll::Ready(())
    }

    /// [`poll_ended`](Self::poll_ended), those included that began in their set-up.
    pub(super) fn poll_all_ended(&mut self, runtime: RuntimeId, cx: &mut Context<'_>) -> Poll<()> {
        let Some(left) = &mut *self.left else {
            return Poll::Ready(());
        };
        let waiter = core::ptr::from_ref(&**left).addr();
        let left = left.get_mut();
        let mut elsewhere = Vec::new();
        left.entries.append(&mut left.apart);
        while let Some(entry) = left.entries.last() {
            let waits = entry.runtime == runtime;
            if waits && entry.poll_ended(waiter, cx).is_pending() {
                left.apart.append(&mut elsewhere);
                return Poll::Pending;
            }
            let entry = left.entries.pop();
            elsewhere.extend(entry.filter(|_| !waits));
        }
        left.apart = elsewhere;
        self.settled();
        Poll::Ready(())
    }

    /// Ready when an exit without a limit of its own has waited as long as
    /// [`set_wait_limit`](crate::set_wait_limit) says, since the first call.
    pub(super) fn poll_wait_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.left().timer.poll(wait_limit(), cx)
    }

    /// Waits no longer, and returns the names of those for which it waited.
    pub(super) fn overtake(&mut self) -> Vec<&'static str> {
        let entries = mem::take(&mut self.left().entries);
        self.settled();
        let late = entries.iter().filter(|entry| !entry.has_ended());
        late.map(|entry| entry.who.name()).collect()
    }

    /// Makes it empty again, if it is.
    fn settled(&mut self) {
        if let Some(left) = &mut *self.left {
            let left = left.get_mut();
            left.timer = Timer::default();
            left.apart.retain(|entry| !entry.has_ended());
            if left.apart.is_empty() && left.guards.is_empty() {
                *self.left = None;
            }
        }
    }

    /// One for which an exit in `runtime` would have to wait.
    pub(super) fn unended(&mut self, runtime: RuntimeId) -> Option<Arc<Entry>> {
        let left = self.left.as_mut()?.get_mut();
        while let Some(entry) = left.entries.last() {
            if entry.has_ended() {
                drop(left.entries.pop());
            } else if entry.runtime != runtime || entry.began_in_set_up {
                left.apart.extend(left.entries.pop());
            } else {
                return Some(entry.clone());
            }
        }
        None
    }
}

impl Drop for Nest {
    #[inline]
    fn drop(&mut self) {
        if self.left.is_some() {
            self.leave_all();
        }
    }
}

/// The clean-ups in whose code this thread is, the innermost first.
pub(super) fn owners() -> Vec<Arc<Entry>> {
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

/// Leaves a clean-up that was handed off in the nest to which it belongs: the current one, but for what would
/// make a ring.
pub(crate) fn leave(entry: Arc<Entry>) {
    if entry.has_ended() {
        return;
    }
    let owners = owners();
    if owners.is_empty() {
        leave_in_current(entry);
        return;
    }
    {
        let _graph = lock(&GRAPH);
        // A clean-up for which this one waits, directly or through others, must not wait for it.
        let in_ring = owners.iter().take_while(|owner| {
            !entry.is_alone() && entry.reaches(|other| Arc::ptr_eq(other, owner))
        });
        let in_ring = in_ring.count();
        if let Some(owner) = owners.get(in_ring) {
            owner.add_inside(entry.clone());
        }
        if in_ring == 0 {
            leave_in_current(entry);
        } else {
            leave_outside(in_ring, &entry);
        }
    }
    look_again();
}

fn leave_in_current(entry: Arc<Entry>) {
    CURRENT.with(|current| {
        current.with(|nest| {
            if let Some(nest) = nest {
                nest.push(entry);
            }
        });
    });
}

/// Leaves it in the nest in which the last of the `owners` innermost clean-ups is polled.
fn leave_outside(owners: usize, entry: &Arc<Entry>) {
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

/// A guard that was opened inside a use. What is opened later in the same use, and dropped while this guard
/// lives, is left here.
pub(crate) struct Tie {
    opened: Opened,
    entries: Arc<Mutex<Vec<Arc<Entry>>>>,
}

/// When and where a guard was opened.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    number: usize,
    nest: usize,
    runtime: RuntimeId,
}

struct Open {
    runtime: RuntimeId,
    entries: Weak<Mutex<Vec<Arc<Entry>>>>,
}

impl Tie {
    /// Notes that a guard is opened, if there is a use around it.
    pub(crate) fn open(runtime: RuntimeId) -> Option<Self> {
        CURRENT.with(|current| current.with(|nest| nest.map(|nest| nest.open(runtime))))
    }

    pub(super) fn opened(&self) -> Opened {
        self.opened
    }
}

impl Drop for Tie {
    fn drop(&mut self) {
        let left = mem::take(&mut *lock(&self.entries));
        left.into_iter().for_each(leave);
    }
}

impl Nest {
    fn open(&mut self, runtime: RuntimeId) -> Tie {
        let left = self.left();
        if left.guards.len() >= left.guards_to_look {
            left.guards
                .retain(|_, open| open.entries.strong_count() > 0);
            left.guards_to_look = left.guards.len() * 2 + 16;
        }
        let number = number();
        let entries = Arc::new(Mutex::new(Vec::new()));
        let open = Open {
            runtime,
            entries: Arc::downgrade(&entries),
        };
        left.guards.insert(number, open);
        let opened = Opened {
            number,
            nest: left.number,
            runtime,
        };
        Tie { opened, entries }
    }

    /// What the guard left that was opened last before `opened`, still lives, and is of the same runtime.
    fn older(&mut self, opened: Opened) -> Option<Arc<Mutex<Vec<Arc<Entry>>>>> {
        let left = self.left.as_mut()?.get_mut();
        if left.number != opened.nest {
            return None;
        }
        let (mut older, mut gone) = (None, Vec::new());
        for (number, open) in left.guards.range(..opened.number).rev() {
            match open.entries.upgrade() {
                Some(entries) if open.runtime == opened.runtime => {
                    older = Some(entries);
                    break;
                }
                Some(_) => {}
                None => gone.push(*number),
            }
        }
        for number in gone {
            left.guards.remove(&number);
        }
        older
    }
}

/// [`leave`] for the clean-up of a guard.
pub(super) fn leave_guard(entry: Arc<Entry>, opened: Opened) {
    let older =
        CURRENT.with(|current| current.with(|nest| nest.and_then(|nest| nest.older(opened))));
    match older {
        None => leave(entry),
        Some(older) => {
            let mut entries = lock(&older);
            let ended = if entries.len() == entries.capacity() {
                take_ended(&mut entries)
            } else {
                Vec::new()
            };
            entries.push(entry);
            drop(entries);
            drop(ended);
        }
    }
}
