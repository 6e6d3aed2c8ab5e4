//! The tokio runtime, where there is tokio.

#[cfg(not(feature = "tokio"))]
#[cfg_attr(not(feature = "std"), allow(unused_imports, reason = "as with `std`"))]
pub(crate) use not_there::{Handle, Id, unconstrained};
#[cfg(feature = "tokio")]
pub(crate) use there::{Handle, Id, unconstrained};

#[cfg(feature = "tokio")]
mod there {
    use core::cell::Cell;
    use core::future::{Future, poll_fn, ready};
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::rc::Rc;

    use ::tokio::runtime::{self, RuntimeFlavor};
    use ::tokio::task;

    use crate::platform::panics::catch;

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
            if let Err(panic) = catch(|| drop(task::spawn_local(runs))) {
                panic.discard();
            }
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
}

#[cfg(not(feature = "tokio"))]
mod not_there {
    use core::future::Future;
    use core::task::{Context, Poll};

    pub(crate) type Id = core::convert::Infallible;

    /// There is no budget.
    pub(crate) fn unconstrained<T>(
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        poll(cx)
    }

    /// There is no tokio runtime.
    #[derive(Clone)]
    pub(crate) enum Handle {}

    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "as with `std`"))]
    impl Handle {
        #[inline]
        pub(crate) fn current() -> Option<Self> {
            None
        }

        pub(crate) fn is_reachable() -> bool {
            true
        }

        pub(crate) fn id(&self) -> Id {
            match *self {}
        }

        pub(crate) fn inside<T>(&self, _: impl FnMut() -> T) -> T {
            match *self {}
        }

        pub(crate) fn spawn(&self, _: impl Future<Output = ()> + Send + 'static) {
            match *self {}
        }

        pub(crate) fn spawn_local<F>(&self, _: F) -> Option<F>
        where
            F: Future<Output = ()> + 'static,
        {
            match *self {}
        }
    }
}
