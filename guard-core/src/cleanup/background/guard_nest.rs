//! The nest of a guard: the clean-ups of younger guards, which were dropped while it lived.

use core::mem;
use std::sync::Arc;
use std::vec::Vec;

use super::guards::{Entries, Opened};
use super::nest::{CURRENT, Doing, Nest, leave};
use super::nest_entry::{NestEntry, add};
use crate::AsyncContext;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{Mutex, lock};

/// A guard that was opened inside a use, with the clean-ups of guards that were opened after it in the same use and
/// dropped while it lived.
pub(crate) struct GuardNest {
    opened: Opened,
    entries: Arc<Entries>,
}

impl GuardNest {
    /// Notes that a guard of `context` is opened, if there is a use around it.
    pub(crate) fn of<C, X>(context: &C) -> Option<Self>
    where
        C: AsyncContext<X>,
    {
        let open = |nest: &mut Nest| Self::open(nest, context.runtime());
        CURRENT.with(|current| current.with(|nest| nest.map(open)))
    }

    fn open(nest: &mut Nest, runtime: RuntimeId) -> Self {
        let entries = Arc::new(Mutex::new(Vec::new()));
        let opened = nest.open_guards().open(runtime, &entries);
        Self { opened, entries }
    }

    pub(super) fn opened(&self) -> Opened {
        self.opened.clone()
    }

    fn take(&self) -> Vec<Arc<NestEntry>> {
        mem::take(&mut *lock(&self.entries))
    }
}

impl Drop for GuardNest {
    fn drop(&mut self) {
        self.take().into_iter().for_each(leave);
    }
}

impl Nest {
    /// Takes over the entries of a guard.
    pub(crate) fn absorb(&mut self, guard: Option<&GuardNest>) {
        let entries = guard.map_or_else(Vec::new, GuardNest::take);
        if !entries.is_empty() {
            self.absorb_entries(entries);
        }
    }
}

/// Whether the guard is dropped by the use in which it was opened: by the code of that use, or with its context.
fn is_dropped_where_it_was_opened(opened: &Opened) -> bool {
    CURRENT.with(|current| {
        let mut found = current.with(|nest| nest.is_some_and(|nest| nest.has(opened)));
        current.in_force(|doing| {
            match doing {
                Doing::DroppingContext { guards, .. } => found |= guards.has(opened),
                Doing::CleaningUp(_) | Doing::Detached => return false,
                _ => {}
            }
            !found
        });
        found
    })
}

/// [`leave`] for the clean-up of a guard.
pub(super) fn leave_guard(entry: Arc<NestEntry>, opened: &Opened) {
    if is_dropped_where_it_was_opened(opened) {
        for older in opened.next_older(entry.runtime) {
            let mut entries = lock(&older);
            let spent = add(&mut entries, entry.clone());
            drop(entries);
            drop(spent);
        }
    }
    // An older guard may outlive the use, or be dropped elsewhere, so the use waits too.
    leave(entry);
}
