//! The tokio runtime.

use core::cell::Cell;
use core::future::{Future, poll_fn, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::boxed::Box;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use ::tokio::runtime::{self, RuntimeFlavor};
use ::tokio::{task, time};

use crate::platform::panics::{catch_panic, contained};

pub(crate) type Id = runtime::Id;

/// Calls `poll` so that tokio's cooperative budget does not count: what is polled beside something else must go on
/// also when that has used up the budget.
pub(crate) fn unconstrained<T>(
    cx: &mut Context<'_>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    pin!(task::unconstrained(poll_fn(|cx| poll(cx)))).poll(cx)
}

/// A tokio runtime.
#[derive(Clone)]
pub(crate) struct Handle(runtime::Handle);

impl Handle {
    /// The runtime of the current task.
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        runtime::Handle::try_current().ok().map(Self)
    }

    /// Whether a runtime can be entered on this thread. It cannot while the thread-locals are destroyed.
    pub(crate) fn is_reachable() -> bool {
        !runtime::Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed())
    }

    #[inline]
    pub(crate) fn id(&self) -> Id {
        self.0.id()
    }

    /// Calls `action` inside this runtime, so that it finds the timers and sockets, on whatever thread this is.
    ///
    /// The budget of the current task does not count: with it, a lock that is free may seem to be taken.
    pub(crate) fn inside<T>(&self, mut action: impl FnMut() -> T) -> T {
        let _entered = self.0.enter();
        let mut cx = Context::from_waker(Waker::noop());
        match unconstrained(&mut cx, |_| Poll::Ready(action())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("`action` has been called"),
        }
    }

    /// Spawns the task. A runtime that is shutting down drops it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
        self.make_room();
    }

    /// Spawns the task on this thread, or gives it back if it runs neither in a `LocalSet` nor in a local runtime.
    /// A `LocalSet` that is being dropped drops the task.
    pub(crate) fn spawn_local<F>(&self, task: F) -> Option<F>
    where
        F: Future<Output = ()> + 'static,
    {
        // Shared with what is spawned, so that tokio never drops the task before `spawn_local` has ended: inside
        // of it the task could not enter the runtime for its last poll.
        let task = Rc::new(Cell::new(Some(task)));
        let shared = task.clone();
        let runs = async move {
            let task = shared.take();
            drop(shared);
            if let Some(task) = task {
                task.await;
            }
        };
        let _entered = self.0.enter();
        // It panics outside a `LocalSet`, and tokio has no other way to ask.
        contained(|| drop(task::spawn_local(runs)));
        // If nobody else has it any more, it was not spawned.
        Rc::into_inner(task).and_then(Cell::into_inner)
    }

    /// A worker keeps the task that it spawned last for itself. Another task after it makes the first one
    /// available to idle workers, while this one may go on computing.
    fn make_room(&self) {
        let is_worker = task::try_id().is_some();
        if is_worker && self.0.runtime_flavor() == RuntimeFlavor::MultiThread {
            self.0.spawn(ready(()));
        }
    }
}

/// Ends when a time is up.
pub(crate) type Sleep = Pin<Box<time::Sleep>>;

/// How much time is left until it ends.
pub(crate) fn remaining(sleep: &Sleep) -> Duration {
    let now = time::Instant::now();
    sleep.deadline().saturating_duration_since(now)
}

/// Ends when `duration` has passed. `None` outside a tokio runtime with timers.
pub(crate) fn sleep(duration: Duration) -> Option<Sleep> {
    /// The runtimes known to have no timers. To ask is a panic, which the panic hook is to see once for each.
    static WITHOUT_TIMERS: Mutex<Vec<Id>> = Mutex::new(Vec::new());
    let without_timers = || {
        let ids = WITHOUT_TIMERS.lock();
        ids.unwrap_or_else(PoisonError::into_inner)
    };

    let id = Handle::current()?.id();
    if without_timers().contains(&id) {
        return None;
    }
    // `sleep` panics in a runtime without timers, and tokio has no other way to ask.
    match catch_panic(|| time::sleep(duration)) {
        Ok(sleep) => Some(Box::pin(sleep)),
        Err(panic) => {
            panic.discard();
            without_timers().push(id);
            None
        }
    }
}
