//! The guards that were opened in a nest, in their order.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::vec::Vec;

use super::nest_entry::NestEntry;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{AtomicUsize, Mutex, Ordering, global, lock};

/// The clean-ups for which a guard waits.
pub(super) type Entries = Mutex<Vec<Arc<NestEntry>>>;

/// The guards that were opened while one nest was the current one.
#[derive(Clone, Default)]
pub(super) struct GuardList(Arc<Mutex<Guards>>);

struct Guards {
    /// By runtime, in the order of opening, each with the entries that it waits for. There are few runtimes.
    open: Vec<(RuntimeId, BTreeMap<usize, Weak<Entries>>)>,
    count: usize,
    /// When there are so many guards, those that have been dropped are removed.
    prune_at: usize,
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
        lock(&self.0).add(number, runtime, Arc::downgrade(entries));
        Opened {
            number,
            list: self.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.0).count == 0
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
            open: Vec::new(),
            count: 0,
            prune_at: 16,
        }
    }
}

impl Guards {
    fn add(&mut self, number: usize, runtime: RuntimeId, entries: Weak<Entries>) {
        if self.count >= self.prune_at {
            self.prune();
        }
        let position = self.open.iter().position(|(id, _)| *id == runtime);
        let position = position.unwrap_or_else(|| {
            self.open.push((runtime, BTreeMap::new()));
            self.open.len() - 1
        });
        self.open[position].1.insert(number, entries);
        self.count += 1;
    }

    fn prune(&mut self) {
        for (_, open) in &mut self.open {
            open.retain(|_, entries| entries.strong_count() > 0);
        }
        self.open.retain(|(_, open)| !open.is_empty());
        self.count = self.open.iter().map(|(_, open)| open.len()).sum();
        self.prune_at = self.count * 2 + 16;
    }

    /// Of each runtime, the guard that was opened last before this one and still lives, if it waits for clean-ups in
    /// `runtime`. The caller drops them outside the lock.
    fn older(
        &mut self,
        number: usize,
        runtime: RuntimeId,
    ) -> Vec<(usize, RuntimeId, Arc<Entries>)> {
        let (mut older, mut removed) = (Vec::new(), 0);
        for (id, open) in &mut self.open {
            if !id.waits_for(runtime) {
                continue;
            }
            // Guards that are gone are removed from the list, so that the next search does not meet them.
            while let Some((&found, entries)) = open.range(..number).next_back() {
                if let Some(entries) = entries.upgrade() {
                    older.push((found, *id, entries));
                    break;
                }
                open.remove(&found);
                removed += 1;
            }
        }
        self.count -= removed;
        older
    }
}

impl Opened {
    pub(super) fn is_in(&self, list: &GuardList) -> bool {
        Arc::ptr_eq(&list.0, &self.list.0)
    }

    /// Finds the guard that was opened last before this one, still lives, and waits for clean-ups in `runtime`. If that goes
    /// on elsewhere, a guard in `runtime` does not wait for it, so the last of those is found too. Returns the lists of the
    /// entries that they wait for.
    pub(super) fn next_older(&self, runtime: RuntimeId) -> Vec<Arc<Entries>> {
        let mut older = lock(&self.list.0).older(self.number, runtime);
        let last = older.iter().map(|(number, ..)| *number).max();
        older.retain(|(number, id, _)| Some(*number) == last || *id == runtime);
        older.into_iter().map(|(.., entries)| entries).collect()
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
