//! Where a context was entered, and where its clean-up goes on.

use core::future::Future;

use crate::platform::thread;
use crate::platform::tokio::{Handle, Id};

/// Where a context was entered, and where its clean-up can go on: a tokio runtime, or else what
/// [`set_spawner`](crate::set_spawner) installed.
#[derive(Clone)]
pub(crate) struct Runtime {
    tokio: Option<Handle>,
}

/// Says which clean-ups go on together.
///
/// Everything that is not a tokio runtime counts as one runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RuntimeId {
    pub(crate) tokio: Option<Id>,
    /// The thread that a `local` clean-up does not leave. `None`: any thread of the runtime may run it.
    pub(crate) thread: Option<thread::Number>,
}

impl RuntimeId {
    /// Whether an exit that runs here waits for a clean-up that goes on in `other`.
    ///
    /// A `local` exit waits for the `local` clean-ups of its thread, and for those that any thread may run. Other
    /// exits wait only for the latter: nobody may be driving the `LocalSet`.
    pub(super) fn waits_for(self, other: Self) -> bool {
        self.is_same_runtime(other) && (other.thread.is_none() || other.thread == self.thread)
    }

    /// The one of the two that waits for more, for two contexts that are exited together.
    pub(crate) fn joined(self, other: Self) -> Self {
        if other.waits_for(self) { other } else { self }
    }

    /// Whether both belong to the same runtime, whatever the thread.
    pub(super) fn is_same_runtime(self, other: Self) -> bool {
        self.tokio == other.tokio
    }
}

impl Runtime {
    /// The runtime of the current task, if there is one.
    #[inline]
    pub(crate) fn current() -> Self {
        Self {
            tokio: Handle::current(),
        }
    }

    /// No runtime.
    pub(super) fn none() -> Self {
        Self { tokio: None }
    }

    /// Whether it is a tokio runtime.
    pub(crate) fn is_some(&self) -> bool {
        self.tokio.is_some()
    }

    /// For a context whose clean-up may go on in any thread.
    pub(crate) fn id(&self) -> RuntimeId {
        RuntimeId {
            tokio: self.tokio.as_ref().map(Handle::id),
            thread: None,
        }
    }

    /// For what stays on this thread: a `local` context, and what has no clean-up in the background.
    pub(crate) fn id_on_this_thread(&self) -> RuntimeId {
        let mut here = self.id();
        here.thread = Some(thread::number());
        here
    }

    /// Whether [`inside`](Self::inside) works on this thread. It does not while the thread-locals are destroyed.
    pub(crate) fn is_reachable(&self) -> bool {
        self.tokio.is_none() || Handle::is_reachable()
    }

    /// Calls `action` inside this runtime. See [`Handle::inside`].
    pub(crate) fn inside<T>(&self, mut action: impl FnMut() -> T) -> T {
        match &self.tokio {
            Some(tokio) => tokio.inside(action),
            None => action(),
        }
    }

    /// Spawns the task, or gives it back if there is no runtime. A runtime that is shutting down drops it.
    pub(super) fn spawn<F>(&self, task: F) -> Option<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(tokio) = &self.tokio else {
            return Some(task);
        };
        tokio.spawn(task);
        None
    }

    /// Spawns the task on this thread, or gives it back if it runs neither in a `LocalSet` nor in a local runtime.
    /// A `LocalSet` that is being dropped drops the task.
    pub(super) fn spawn_local<F>(&self, task: F) -> Option<F>
    where
        F: Future<Output = ()> + 'static,
    {
        match &self.tokio {
            Some(tokio) if Handle::is_reachable() => tokio.spawn_local(task),
            _ => Some(task),
        }
    }
}
