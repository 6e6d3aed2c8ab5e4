//! Where a context was entered, and where its clean-up goes on.

#[cfg(feature = "tokio")]
use tokio::runtime::Handle;

/// Where a context was entered, and where its clean-up can go on: a tokio runtime, or else what
/// [`set_spawner`](crate::set_spawner) installed.
#[derive(Clone)]
pub(crate) struct Runtime {
    #[cfg(feature = "tokio")]
    tokio: Option<Handle>,
}

/// Tells runtimes apart. All that is not a tokio runtime counts as one.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RuntimeId {
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Id>,
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
    /// That of the clean-up in whose code this thread is, else that of the current task.
    pub(crate) fn here() -> Self {
        match super::nest::owners().first() {
            Some(cleanup) => cleanup.runtime,
            None => Runtime::current().id(),
        }
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
    pub(crate) fn id(&self) -> RuntimeId {
        RuntimeId {
            #[cfg(feature = "tokio")]
            tokio: self.tokio.as_ref().map(Handle::id),
        }
    }

    /// Whether [`inside`](Self::inside) works on this thread: not while its thread-locals are destroyed.
    pub(super) fn is_reachable(&self) -> bool {
        #[cfg(feature = "tokio")]
        if self.tokio.is_some() {
            return !Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        }
        true
    }

    /// Calls `action` where it finds this runtime's timers and sockets, on whatever thread this is, and outside
    /// the budget of the current task: what is free is not to be found pending because the task has done much.
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
                Poll::Pending => unreachable!("it is ready at once"),
            };
        }
        action()
    }

    /// Spawns the task, or gives it back where there is no runtime. One that is shutting down drops it.
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
