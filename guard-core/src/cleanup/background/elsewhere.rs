//! What goes on in other tasks, and is waited for as a clean-up is.

use std::sync::Arc;
use std::vec::Vec;

use super::nest::{Leftover, leave, listener};
use super::nest_entry::NestEntry;
use super::registry::{Registered, register};
use crate::cleanup::RuntimeId;
use crate::report::Identity;

/// What goes on in other tasks, until [`end`](Self::end) is called.
pub(crate) struct Elsewhere {
    entry: Arc<NestEntry>,
    registered: Registered,
}

impl Elsewhere {
    /// Leaves it in the current nest.
    pub(crate) fn begin(identity: Identity, runtime: RuntimeId) -> Self {
        let entry = NestEntry::new(identity, runtime, false, Vec::new(), listener());
        let entry = Arc::new(entry);
        let registered = register(&entry);
        leave(entry.clone());
        Self { entry, registered }
    }

    /// It has ended, and has left this.
    pub(crate) fn end(self, left: Leftover) {
        drop(self.registered);
        self.entry.end(left.into_entries());
    }
}
