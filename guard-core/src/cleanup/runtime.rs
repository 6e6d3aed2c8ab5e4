//! Where a context was entered, and where its clean-up goes on.

#[cfg(feature = "std")]
use core::num::NonZeroUsize;

#[cfg(feature = "tokio")]
use tokio::runtime::Handle;

#[cfg(feature = "tokio")]
use crate::platform::panics::catch;

/// Where a context was entered, and where its clean-up can go on: a tokio runtime, or else what
/// [`set_spawner`](crate::set_spawner) installed.
#[derive(Clone)]
pub(crate) struct Runtime {
    #[cfg(feature = "tokio")]
    tokio: Option<Handle>,
}

/// Says which clean-ups go on together.
///
/// Everything that is not a tokio runtime counts as one runtime.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RuntimeId {
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Id>,
    /// The thread that a `local` clean-up does not leave. `None`: any thread of the runtime may run it.
    thread: Option<NonZeroUsize>,
}

#[cfg(feature = "std")]
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
    #[cfg_attr(
        not(feature = "tokio"),
        allow(clippy::unused_self, reason = "there is one runtime only")
    )]
    pub(super) fn is_same_runtime(self, other: Self) -> bool {
        #[cfg(feature = "tokio")]
        return self.tokio == other.tokio;
        #[cfg(not(feature = "tokio"))]
        {
            let _ = other;
            true
        }
    }
}

/// The number of this thread. Unlike `std::thread::current` it is there in the thread's last destructors too.
#[cfg(feature = "std")]
fn this_thread() -> NonZeroUsize {
    use core::cell::Cell;
    use core::sync::atomic::{AtomicUsize, Ordering};

    static NEXT: AtomicUsize = AtomicUsize::new(1);
    std::thread_local! {
        static NUMBER: Cell<Option<NonZeroUsize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let new = NonZeroUsize::new(NEXT.fetch_add(1, Ordering::Relaxed));
            number.set(new);
            new.expect("a program has fewer threads than numbers")
        })
    })
}

#[cfg_attr(
    not(feature = "tokio"),
    allow(clippy::unused_self, reason = "there is no runtime to ask")
)]
impl Runtime {
    /// The runtime of the current task, if there is one.
    #[inline]
    pub(crate) fn current() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: Handle::try_current().ok(),
        }
    }

    /// No runtime.
    #[cfg(feature = "std")]
    pub(super) fn none() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// Whether it is a tokio runtime.
    pub(crate) fn is_some(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.tokio.is_some();
        #[cfg(not(feature = "tokio"))]
        false
    }
}

#[cfg(feature = "testing")]
impl RuntimeId {
    /// The runtime of the clean-up whose code runs on this thread, else of the current task; any thread of it.
    pub(crate) fn here() -> Self {
        let mut runtime = match super::nest::owners().first() {
            Some(cleanup) => cleanup.runtime,
            None => Runtime::current().id(),
        };
        runtime.thread = None;
        runtime
    }

    /// Whether it is a tokio runtime.
    #[cfg_attr(
        not(feature = "tokio"),
        allow(clippy::unused_self, reason = "there is no runtime to ask")
    )]
    pub(crate) fn is_tokio(self) -> bool {
        #[cfg(feature = "tokio")]
        return self.tokio.is_some();
        #[cfg(not(feature = "tokio"))]
        false
    }
}

#[cfg(feature = "std")]
#[cfg_attr(
    not(feature = "tokio"),
    allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "there is no runtime to ask"
    )
)]
impl Runtime {
    /// For a context whose clean-up may go on in any thread.
    pub(crate) fn id(&self) -> RuntimeId {
        RuntimeId {
            #[cfg(feature = "tokio")]
            tokio: self.tokio.as_ref().map(Handle::id),
            thread: None,
        }
    }

    /// For what stays on this thread: a `local` context, and what has no clean-up in the background.
    pub(crate) fn id_on_this_thread(&self) -> RuntimeId {
        let mut here = self.id();
        here.thread = Some(this_thread());
        here
    }

    /// Whether [`inside`](Self::inside) works on this thread. It does not while the thread-locals are destroyed.
    pub(super) fn is_reachable(&self) -> bool {
        #[cfg(feature = "tokio")]
        if self.tokio.is_some() {
            return !Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        }
        true
    }

    /// Calls `action` inside this runtime, so that it finds the timers and sockets, on whatever thread this is.
    ///
    /// The budget of the current task does not count: with it, a lock that is free may seem to be taken.
    pub(super) fn inside<T>(&self, mut action: impl FnMut() -> T) -> T {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = &self.tokio {
            use core::future::Future;
            use core::pin::pin;
            use core::task::{Context, Poll, Waker};

            let _entered = tokio.enter();
            let acting = core::future::poll_fn(|_| Poll::Ready(action()));
            let mut cx = Context::from_waker(Waker::noop());
            return match pin!(tokio::task::unconstrained(acting)).poll(&mut cx) {
                Poll::Ready(value) => value,
                Poll::Pending => unreachable!("`acting` is ready at once"),
            };
        }
        action()
    }

    /// Spawns the task, or gives it back if there is no runtime. A runtime that is shutting down drops it.
    pub(super) fn spawn<F>(&self, task: F) -> Option<F>
    where
        F: core::future::Future<Output = ()> + Send + 'static,
    {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = &self.tokio {
            tokio.spawn(task);
            self.make_room(tokio);
            return None;
        }
        Some(task)
    }

    /// Spawns the task on this thread, or gives it back if it runs neither in a `LocalSet` nor in a local runtime.
    /// A `LocalSet` that is being dropped drops the task.
    pub(super) fn spawn_local<F>(&self, task: F) -> Option<F>
    where
        F: core::future::Future<Output = ()> + 'static,
    {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = self.tokio.as_ref().filter(|_| self.is_reachable()) {
            use core::cell::Cell;
            use std::rc::Rc;

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
            let _entered = tokio.enter();
            // It panics outside a `LocalSet`, and tokio has no other way to ask.
            if let Err(panic) = catch(|| drop(tokio::task::spawn_local(runs))) {
                panic.discard();
            }
            // If nobody else has it any more, it was not spawned.
            return Rc::into_inner(task).and_then(Cell::into_inner);
        }
        Some(task)
    }

    /// A worker keeps the task that it spawned last for itself. Another task after it makes the first one
    /// available to idle workers, while this one may go on computing.
    #[cfg(feature = "tokio")]
    #[allow(clippy::unused_self, reason = "beside `spawn`")]
    fn make_room(&self, tokio: &Handle) {
        use tokio::runtime::RuntimeFlavor;
        if tokio.runtime_flavor() == RuntimeFlavor::MultiThread && tokio::task::try_id().is_some() {
            tokio.spawn(core::future::ready(()));
        }
    }
}
