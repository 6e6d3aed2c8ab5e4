//! The guards that were opened in a nest, in their order.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::vec::Vec;

use super::entry::Entry;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{AtomicUsize, Mutex, Ordering, global, lock};

/// The clean-ups for which a guard waits.
pub(super) type Entries = Mutex<Vec<Arc<Entry>>>;

/// The guards that were opened while one nest was the current one.
#[derive(Clone, Default)]
pub(super) struct GuardList(Arc<Mutex<Guards>>);

struct Guards {
    open: BTreeMap<usize, Open>,
    /// When there are so many guards, those that have been dropped are removed.
    prune_at: usize,
}

struct Open {
    runtime: RuntimeId,
    entries: Weak<Entries>,
}

/// When and where a guard was opened.
#[derive(Clone)]
pub(crate) struct Opened {
    number: usize,
    list: GuardList,
}

/// The guards that were opened in the nest of a use that is dropped now, or whose clean-up this is.
#[derive(Clone, Default)]
pub(crate) struct OpenGuards(Vec<GuardList>);

impl GuardList {
    /// Adds a guard that waits for `entries`, until those are dropped.
    pub(super) fn open(&self, runtime: RuntimeId, entries: &Arc<Entries>) -> Opened {
        let number = number();
        let open = Open {
            runtime,
            entries: Arc::downgrade(entries),
        };
        lock(&self.0).add(number, open);
        Opened {
            number,
            list: self.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).open.is_empty()
    }
}

fn number() -> usize {
    global! {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
    }
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            prune_at: 16,
        }
    }
}

impl Guards {
    fn add(&mut self, number: usize, open: Open) {
        if self.open.len() >= self.prune_at {
            self.open.retain(|_, open| open.entries.strong_count() > 0);
            self.prune_at = self.open.len() * 2 + 16;
        }
        self.open.insert(number, open);
    }

    fn next_older(&mut self, number: usize, runtime: RuntimeId) -> Option<Arc<Entries>> {
        let (mut older, mut gone) = (None, Vec::new());
        for (number, open) in self.open.range(..number).rev() {
            match open.entries.upgrade() {
                Some(entries) if open.runtime.waits_for(runtime) => {
                    older = Some(entries);
                    break;
                }
                Some(_) => {}
                None => gone.push(*number),
            }
        }
        for number in gone {
            self.open.remove(&number);
        }
        older
    }
}

impl Opened {
    pub(super) fn is_in(&self, list: &GuardList) -> bool {
        Arc::ptr_eq(&list.0, &self.list.0)
    }

    /// Finds the guard that was opened last before this one, still lives, and waits for clean-ups in `runtime`.
    /// Returns the list of the entries that it waits for.
    pub(super) fn next_older(&self, runtime: RuntimeId) -> Option<Arc<Entries>> {
        lock(&self.list.0).next_older(self.number, runtime)
    }
}

impl OpenGuards {
    /// Those lists in which there are guards.
    pub(super) fn of<'a>(lists: impl Iterator<Item = &'a GuardList>) -> Self {
        Self(lists.filter(|list| !list.is_empty()).cloned().collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    pub(super) fn has(&self, opened: &Opened) -> bool {
        self.0.iter().any(|list| opened.is_in(list))
    }

    pub(super) fn into_lists(self) -> Vec<GuardList> {
        self.0
    }
}
