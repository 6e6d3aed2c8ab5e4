//! What a thread says of a drop, for the clean-ups that are handed off in it.

use core::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::Vec;

use super::entry::Entry;
use super::limit::Limit;
use super::nest::{CURRENT, Doing, Nest, Tie, leave};
use crate::report::ReportKind;

/// Drops the context of a use, whose nest this is: what this hands off waits for the entries of the nest. If it
/// hands off nothing, they are left in the enclosing nest.
#[inline]
pub(crate) fn drop_context(nest: &mut Nest, drop_it: impl FnOnce()) {
    if nest.is_empty() {
        return drop_it();
    }
    drop_context_after(nest, drop_it);
}

#[cold]
fn drop_context_after(nest: &mut Nest, drop_it: impl FnOnce()) {
    /// Leaves the entries also if a destructor panics.
    struct PassOn(Doing);

    impl Drop for PassOn {
        fn drop(&mut self) {
            if let Doing::DroppingContext { inside, taken } = &mut self.0 {
                if !taken.get() {
                    core::mem::take(inside).into_iter().for_each(leave);
                }
            }
        }
    }

    let inside = nest.take();
    if inside.is_empty() {
        return drop_it();
    }
    let taken = Cell::new(false);
    let doing = PassOn(Doing::DroppingContext { inside, taken });
    CURRENT.with(|current| current.framed(&doing.0, drop_it));
}

/// Drops the block of a use, whose nest this is. What is said of the drop of the use is said of its block too.
pub(crate) fn drop_block(nest: &mut Nest, drop_it: impl FnOnce()) {
    fn repeat(said: &[Doing], action: &mut dyn FnMut()) {
        match said {
            [] => action(),
            [first, rest @ ..] => {
                CURRENT.with(|current| current.framed(first, || repeat(rest, action)));
            }
        }
    }

    let mut said = Vec::new();
    in_force(|doing| {
        match doing {
            Doing::DroppingBounded(limit) => said.push(Doing::DroppingBounded(limit.clone())),
            Doing::Expiring(reported) => said.push(Doing::Expiring(reported.clone())),
            _ => {}
        }
        true
    });
    said.reverse();
    let mut drop_it = Some(drop_it);
    nest.during(|| {
        repeat(&said, &mut || {
            if let Some(drop_it) = drop_it.take() {
                drop_it();
            }
        });
    });
}

/// Drops a stack that is owned: like a guard it is not part of what drops it.
pub(crate) fn drop_owned(drop_it: impl FnOnce()) {
    drop_guard(None, drop_it);
}

/// Drops a guard: it is not part of what drops it.
pub(crate) fn drop_guard(tie: Option<&Tie>, drop_it: impl FnOnce()) {
    let doing = Doing::DroppingGuard(tie.map(Tie::opened));
    CURRENT.with(|current| current.framed(&doing, drop_it));
}

/// Drops a context with an exit limit, which holds for what this hands off.
pub(crate) fn drop_bounded(limit: &Rc<dyn Limit>, drop_it: impl FnOnce()) {
    let doing = Doing::DroppingBounded(limit.clone());
    CURRENT.with(|current| current.framed(&doing, drop_it));
}

/// Drops what belongs to an exit whose time is up: none of it goes on. Returns whether someone reported that.
pub(crate) fn expire(drop_it: impl FnOnce()) -> bool {
    let reported = Rc::new(Cell::new(false));
    let doing = Doing::Expiring(reported.clone());
    CURRENT.with(|current| current.framed(&doing, drop_it));
    reported.get()
}

/// Whether what is dropped now has run out of time.
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

/// What is to be reported of a clean-up that is dropped now.
pub(crate) fn dropped<'a, E>() -> ReportKind<'a, E> {
    match expiring() {
        Some(reported) => {
            reported.set(true);
            ReportKind::TimedOut
        }
        None => ReportKind::Abandoned,
    }
}

/// Visits what is said of the drop of a use, up to a guard, which is not part of it.
fn in_force(mut visit: impl FnMut(&Doing) -> bool) {
    CURRENT.with(|current| {
        current.in_force(|doing| match doing {
            Doing::DroppingGuard(_) | Doing::CleaningUp(_) | Doing::Detached => false,
            doing => visit(doing),
        });
    });
}

/// What is said of a drop to what it hands off.
pub(super) struct Said {
    /// What it waits for first.
    pub(super) inside: Vec<Arc<Entry>>,
    pub(super) limit: Option<Rc<dyn Limit>>,
    /// It is the context of a guard.
    pub(super) guard: Option<super::nest::Opened>,
    pub(super) expired: bool,
}

/// Asks what is said of the drop in which a clean-up is handed off.
pub(super) fn said() -> Said {
    let mut said = Said {
        inside: Vec::new(),
        limit: None,
        guard: None,
        expired: expiring().is_some(),
    };
    if said.expired {
        return said;
    }
    let mut apart = false;
    CURRENT.with(|current| {
        current.in_force(|doing| {
            match doing {
                Doing::DroppingContext { inside, taken } => {
                    taken.set(true);
                    said.inside.extend(inside.iter().cloned());
                }
                Doing::DroppingGuard(opened) => {
                    if !apart {
                        said.guard = *opened;
                    }
                    apart = true;
                }
                Doing::DroppingBounded(limit) if !apart && said.limit.is_none() => {
                    said.limit = Some(limit.clone());
                }
                Doing::CleaningUp(_) | Doing::Detached => return false,
                _ => {}
            }
            true
        });
    });
    said
}
