//! All clean-ups that go on in the background.

use core::panic::Location;
use core::task::Waker;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use super::nest_entry::NestEntry;
use crate::cleanup::RuntimeId;
use crate::platform::sync::{Mutex, global, lock};
use crate::platform::wakers::Wakers;

/// All clean-ups in the background, and the `drain`s that wait for them.
struct Registry {
    next: u64,
    /// By runtime, in the order of the hand-off. There are few runtimes.
    entries: Vec<(RuntimeId, BTreeMap<u64, Arc<NestEntry>>)>,
    drains: Wakers<u64>,
}

impl Registry {
    const fn empty() -> Self {
        Self {
            next: 0,
            entries: Vec::new(),
            drains: Wakers::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn of(&self, runtime: Option<RuntimeId>) -> impl Iterator<Item = &Arc<NestEntry>> {
        let entries = self.entries.iter();
        let entries = entries
            .filter(move |(id, _)| runtime.is_none_or(|runtime| runtime.is_same_runtime(*id)));
        entries.flat_map(|(_, entries)| entries.values())
    }
}

global! {
    static REGISTRY: Mutex<Registry> = Mutex::new(Registry::empty());
}

/// Keeps a clean-up in the registry until this is dropped.
pub(super) struct Registered {
    number: u64,
    runtime: RuntimeId,
}

/// Adds a clean-up that goes on in the background.
pub(super) fn register(entry: &Arc<NestEntry>) -> Registered {
    let mut registry = lock(&REGISTRY);
    let number = registry.number();
    let runtime = entry.runtime;
    let position = registry.entries.iter().position(|(id, _)| *id == runtime);
    let position = position.unwrap_or_else(|| {
        registry.entries.push((runtime, BTreeMap::new()));
        registry.entries.len() - 1
    });
    let entries = &mut registry.entries[position].1;
    entries.insert(number, entry.clone());
    Registered { number, runtime }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut registry = lock(&REGISTRY);
        let entries = &mut registry.entries;
        let mut removed = None;
        if let Some(position) = entries.iter().position(|(id, _)| *id == self.runtime) {
            removed = entries[position].1.remove(&self.number);
            if entries[position].1.is_empty() {
                entries.swap_remove(position);
            }
        }
        drop(registry);
        drop(removed);
        look_again();
    }
}

/// Wakes all `drain`s, because a clean-up has ended, or because a `drain` is to skip others than before.
pub(super) fn look_again() {
    let drains = lock(&REGISTRY).drains.take();
    drains.wake();
}

/// A `drain` that waits, until this is dropped.
pub(super) struct Waiting(u64);

impl Waiting {
    pub(super) fn new() -> Self {
        Self(lock(&REGISTRY).number())
    }

    /// Has `waker` woken when the registry has changed. To be called before the registry is read.
    pub(super) fn wake(&self, waker: &Waker) {
        let waker = waker.clone();
        let replaced = lock(&REGISTRY).drains.set(self.0, waker);
        drop(replaced);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let removed = lock(&REGISTRY).drains.remove(self.0);
        drop(removed);
    }
}

/// Whether a clean-up goes on in the runtime `runtime`, or with `None` in any.
pub(super) fn is_any(runtime: Option<RuntimeId>) -> bool {
    lock(&REGISTRY).of(runtime).next().is_some()
}

/// The clean-ups that go on in the runtime `runtime`, or with `None` all.
pub(super) fn all(runtime: Option<RuntimeId>) -> Vec<Arc<NestEntry>> {
    lock(&REGISTRY).of(runtime).cloned().collect()
}

/// A clean-up that goes on in the background: see [`pending_cleanups`].
#[derive(Clone, Debug)]
pub struct PendingCleanup {
    name: &'static str,
    location: Option<&'static Location<'static>>,
    age: Duration,
    waits_for: Vec<&'static str>,
}

impl PendingCleanup {
    /// The context's name: the path of its function, or of its type.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Where the context was made, if it knows.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.location
    }

    /// How long ago its use was dropped.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// The names of the clean-ups that it waits for.
    pub fn waits_for(&self) -> &[&str] {
        &self.waits_for
    }
}

/// The clean-ups that go on in the background now, in the whole process, the oldest of each runtime first.
///
/// So a [`drain`](crate::drain) that takes too long can say what for:
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let limit = Duration::from_secs(10);
/// if tokio::time::timeout(limit, guard_core::drain()).await.is_err() {
///     for cleanup in guard_core::pending_cleanups() {
///         eprintln!("{} is not done after {:?}", cleanup.name(), cleanup.age());
///     }
/// }
/// # }
/// ```
pub fn pending_cleanups() -> Vec<PendingCleanup> {
    let entries = all(None);
    let pending = entries.iter().map(|entry| {
        let inside = entry.inside();
        PendingCleanup {
            name: entry.identity.path(),
            location: entry.identity.location,
            age: entry.began.elapsed(),
            waits_for: inside
                .iter()
                .filter(|inner| entry.runtime.waits_for(inner.runtime) && !inner.began_in_set_up)
                .map(|inner| inner.identity.path())
                .collect(),
        }
    });
    pending.collect()
}
