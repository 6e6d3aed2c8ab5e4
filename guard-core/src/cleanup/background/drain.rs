//! Waiting until no clean-up goes on in the background.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::nest::innermost_owner;
use super::nest_entry::NestEntry;
use super::registry::{Waiting, all, is_any, look_again};
use crate::cleanup::{Runtime, RuntimeId};

/// Waits until no clean-up goes on in the current runtime. It also waits for those that start meanwhile.
///
/// It does not wait for the clean-ups of other runtimes, so that two tests in one process do not wait for each other.
/// Outside a tokio runtime it waits for all, as [`drain_all`] does.
///
/// The clean-up of a `local` context belongs to the runtime in which its `LocalSet` runs, and ends only if somebody
/// drives that set: `local.run_until(guard_core::drain()).await`.
///
/// Await it before the runtime ends, when everything that uses contexts has ended or been dropped:
/// guards in local variables, and tasks that still run, have nothing in the background yet. A task that is aborted still runs
/// until its runtime drops it: await its handle first. So let `main` only call what does the work, and drain on every way out
/// of it:
///
/// ```
/// # async fn run() -> std::io::Result<()> { Ok(()) }
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> std::io::Result<()> {
///     let result = run().await;
///     guard_core::drain().await;
///     result
/// }
/// ```
///
/// A runtime that is dropped drops its tasks. A clean-up among them is polled once more, and
/// [reported](crate::set_reporter) as abandoned if that is not enough.
///
/// Inside a clean-up it waits neither for that clean-up nor in a ring: it skips every clean-up that is itself
/// waiting in a `drain`, or waits for one that is. A `drain` in a task that a clean-up has spawned cannot know that.
///
/// [`pending_cleanups`](crate::pending_cleanups) lists what it waits for, together with the clean-ups of all other runtimes
/// of the process.
///
/// # Cancellation
///
/// Dropping the future stops the waiting, not the clean-ups; bound it with a timeout if one of
/// them might hang.
pub fn drain() -> Drain {
    Drain {
        everywhere: false,
        state: None,
    }
}

/// [`drain`] for the clean-ups of all runtimes of the process.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// guard_core::drain_all().await;
/// assert!(guard_core::pending_cleanups().is_empty());
/// # }
/// ```
pub fn drain_all() -> Drain {
    Drain {
        everywhere: true,
        state: None,
    }
}

/// The future of [`drain`] and [`drain_all`].
#[must_use = "nothing is waited for unless this is awaited: `drain().await`"]
pub struct Drain {
    everywhere: bool,
    /// Since it is polled.
    state: Option<Draining>,
}

struct Draining {
    /// The runtime whose clean-ups it waits for. `None`: all.
    runtime: Option<RuntimeId>,
    waiting: Waiting,
    /// The clean-up in whose code it is. The code may become that of a clean-up while it waits.
    owner: Option<Arc<NestEntry>>,
}

impl Draining {
    fn new(everywhere: bool) -> Self {
        let current = Runtime::current();
        let runtime = (!everywhere && current.is_some()).then(|| current.id());
        Self {
            runtime,
            waiting: Waiting::new(),
            owner: None,
        }
    }

    /// Notes the clean-up in whose code it is now. Other drains skip that from now on.
    fn find_owner(&mut self) {
        let owner = innermost_owner();
        if owner.as_ref().map(Arc::as_ptr) == self.owner.as_ref().map(Arc::as_ptr) {
            return;
        }
        if let Some(owner) = &owner {
            owner.count_drain();
        }
        self.leave_owner(owner);
    }

    fn leave_owner(&mut self, next: Option<Arc<NestEntry>>) {
        if let Some(owner) = core::mem::replace(&mut self.owner, next) {
            owner.uncount_drain();
        }
        look_again();
    }

    fn is_over(&self) -> bool {
        if self.owner.is_none() {
            return !is_any(self.runtime);
        }
        let entries = all(self.runtime);
        entries
            .iter()
            .all(|entry| entry.reaches(|other| other.is_draining()))
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        if self.owner.is_some() {
            self.leave_owner(None);
        }
    }
}

impl core::fmt::Debug for Drain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Drain")
            .field("everywhere", &self.everywhere)
            .finish_non_exhaustive()
    }
}

impl Future for Drain {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let everywhere = self.everywhere;
        let state = self.state.get_or_insert_with(|| Draining::new(everywhere));
        state.find_owner();
        // The waker first: what ends after this wakes it, and what ended before is not found any more.
        state.waiting.wake(cx.waker());
        if !state.is_over() {
            return Poll::Pending;
        }
        self.state = None;
        Poll::Ready(())
    }
}
