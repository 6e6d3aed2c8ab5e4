//! Notes that a thread keeps during a drop, for the clean-ups that the drop hands off.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::Vec;

use super::guard_nest::GuardNest;
use super::guards::{OpenGuards, Opened};
use super::limit::SharedLimit;
use super::nest::{CURRENT, Doing, Nest, leave};
use super::nest_entry::NestEntry;
use crate::report::ReportKind;

/// Drops the context of the use that owns `nest`. A clean-up that is handed off by that waits for the entries of the
/// nest. If there is none, the entries go to the enclosing nest.
///
/// `drop_it` is called once. It is an object, so that this is not compiled anew for every use.
#[inline]
pub(crate) fn drop_context(nest: &mut Nest, drop_it: &mut dyn FnMut()) {
    if nest.is_empty() {
        return drop_it();
    }
    drop_context_after(nest, drop_it);
}

#[cold]
fn drop_context_after(nest: &mut Nest, drop_it: &mut dyn FnMut()) {
    /// Leaves the entries also if a destructor panics.
    struct PassOn(Doing);

    impl Drop for PassOn {
        fn drop(&mut self) {
            if let Doing::DroppingContext { inside, taken, .. } = &mut self.0 {
                if !taken.get() {
                    core::mem::take(inside).into_iter().for_each(leave);
                }
            }
        }
    }

    let remaining = nest.remaining();
    let (guards, inside) = (nest.guards(), nest.take_for_cleanup());
    if inside.is_empty() && guards.is_empty() {
        return drop_it();
    }
    let doing = PassOn(Doing::DroppingContext {
        inside,
        taken: Cell::new(false),
        guards,
        remaining,
    });
    CURRENT.with(|current| current.framed(&doing.0, drop_it));
}

/// Drops the block of the use that owns `nest`. An exit limit on the drop of the use holds for its block too.
#[cold]
pub(crate) fn drop_block(nest: &mut Nest, drop_it: &mut dyn FnMut()) {
    fn repeat(notes: &[Doing], action: &mut dyn FnMut()) {
        match notes {
            [] => action(),
            [first, rest @ ..] => {
                CURRENT.with(|current| current.framed(first, || repeat(rest, action)));
            }
        }
    }

    let mut notes = Vec::new();
    in_force(|doing| {
        match doing {
            Doing::DroppingBounded(limit) => notes.push(Doing::DroppingBounded(limit.clone())),
            Doing::Expiring(reported) => notes.push(Doing::Expiring(reported.clone())),
            _ => {}
        }
        true
    });
    notes.reverse();
    nest.during_rarely(&mut || repeat(&notes, drop_it));
}

/// Begins the drop of a context that consists of several, which are dropped one after the other by [`drop_part`]. Returns a
/// nest with what the use has left in its own: the first part waits for that.
pub(crate) fn begin_parts() -> Nest {
    let (mut left, mut open) = (Vec::new(), OpenGuards::default());
    let mut time = None;
    in_force(|doing| {
        if let Doing::DroppingContext {
            inside,
            taken,
            guards,
            remaining,
        } = doing
        {
            taken.set(true);
            left.extend(inside.iter().cloned());
            open.add(guards);
            time = time.or(*remaining);
        }
        true
    });
    Nest::of(left, open, time)
}

/// Drops the next part of a context. What it hands off waits for the entries of `above`, which those parts have left that
/// were dropped before. Then `above` has what is left.
pub(crate) fn drop_part(above: &mut Nest, drop_it: &mut dyn FnMut()) {
    let mut left = Nest::of(Vec::new(), above.guards(), None);
    drop_block(&mut left, &mut || drop_context(above, drop_it));
    *above = left;
}

/// Drops an exit stack that no use lends. Like a guard, it is not part of the exit whose code drops it.
pub(crate) fn drop_owned(drop_it: impl FnOnce()) {
    drop_guard(None, drop_it);
}

/// Drops a guard. It is not part of the exit whose code drops it.
pub(crate) fn drop_guard(guard: Option<&GuardNest>, drop_it: impl FnOnce()) {
    let doing = Doing::DroppingGuard(guard.map(GuardNest::opened));
    CURRENT.with(|current| current.framed(&doing, drop_it));
}

/// Drops a context with an exit limit. The limit holds for a clean-up that is handed off by that.
pub(crate) fn drop_bounded(limit: &Rc<dyn SharedLimit>, drop_it: impl FnOnce()) {
    let doing = Doing::DroppingBounded(limit.clone());
    CURRENT.with(|current| current.framed(&doing, drop_it));
}

/// Drops what belongs to an exit whose time is up. None of it goes on. Returns whether it was reported.
pub(crate) fn expire(drop_it: impl FnOnce()) -> bool {
    let reported = Rc::new(Cell::new(false));
    let doing = Doing::Expiring(reported.clone());
    CURRENT.with(|current| current.framed(&doing, drop_it));
    reported.get()
}

/// Whether this is the drop of an exit whose time is up. The cell notes that it was reported.
fn expiring() -> Option<Rc<Cell<bool>>> {
    let mut expiring = None;
    in_force(|doing| {
        if let Doing::Expiring(reported) = doing {
            expiring = Some(reported.clone());
        }
        expiring.is_none()
    });
    expiring
}

/// The report about a clean-up that is dropped now.
pub(crate) fn dropped<'a, E>() -> ReportKind<'a, E> {
    match expiring() {
        Some(reported) => {
            reported.set(true);
            ReportKind::TimedOut
        }
        None => ReportKind::Abandoned,
    }
}

/// Visits the notes about the current drop, from the innermost outwards. Stops at a guard, a clean-up or `detached`, for
/// which the notes further out do not hold.
fn in_force(mut visit: impl FnMut(&Doing) -> bool) {
    CURRENT.with(|current| {
        current.in_force(|doing| match doing {
            Doing::DroppingGuard(_) | Doing::CleaningUp(_) | Doing::Detached => false,
            doing => visit(doing),
        });
    });
}

/// The notes about a drop, for a clean-up that is handed off by it.
pub(super) struct Notes {
    /// The clean-ups that it waits for first.
    pub(super) inside: Vec<Arc<NestEntry>>,
    /// How much of the time for that is left, if its use has begun to wait.
    pub(super) remaining: Option<Duration>,
    pub(super) limit: Option<Rc<dyn SharedLimit>>,
    /// Guards that may be among the locals of its context.
    pub(super) guards: OpenGuards,
    /// The guard whose context it is.
    pub(super) guard: Option<Opened>,
    pub(super) expired: bool,
}

/// The notes about the current drop.
pub(super) fn notes() -> Notes {
    let mut notes = Notes {
        inside: Vec::new(),
        remaining: None,
        limit: None,
        guards: OpenGuards::default(),
        guard: None,
        expired: expiring().is_some(),
    };
    if notes.expired {
        return notes;
    }
    let mut apart = false;
    CURRENT.with(|current| {
        current.in_force(|doing| {
            match doing {
                Doing::DroppingContext {
                    inside,
                    taken,
                    guards,
                    remaining,
                } => {
                    taken.set(true);
                    notes.inside.extend(inside.iter().cloned());
                    notes.remaining = notes.remaining.or(*remaining);
                    if !apart {
                        notes.guards.add(guards);
                    }
                }
                Doing::DroppingGuard(opened) => {
                    if !apart {
                        notes.guard.clone_from(opened);
                    }
                    apart = true;
                }
                Doing::DroppingBounded(limit) if !apart && notes.limit.is_none() => {
                    notes.limit = Some(limit.clone());
                }
                Doing::CleaningUp(_) | Doing::Detached => return false,
                _ => {}
            }
            true
        });
    });
    notes
}
