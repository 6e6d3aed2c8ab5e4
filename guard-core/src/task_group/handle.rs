//! `TaskGroup`, which the context lends, and `TaskHandle`, which `spawn` returns.

use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, yield_now};

use super::state::Group;
use super::task::GroupTask;

/// A group of tasks, lent by [`task_group`](crate::task_group). A clone of it is the same group, for tasks that spawn tasks.
pub struct TaskGroup<E> {
    runtime: Handle,
    group: Arc<Group<E>>,
}

impl<E> TaskGroup<E> {
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(super) fn in_current_runtime(group: Arc<Group<E>>) -> Self {
        let Ok(runtime) = Handle::try_current() else {
            panic!("`task_group` has to be entered in a tokio runtime, which runs its tasks");
        };
        Self { runtime, group }
    }

    /// The number of tasks that have not ended.
    pub fn len(&self) -> usize {
        self.group.running()
    }

    /// Whether all tasks have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E: Send + 'static> TaskGroup<E> {
    /// Spawns a task in the runtime in which the group was entered.
    ///
    /// An error or a panic of it ends the whole group: see [`task_group`](crate::task_group). The value is had by awaiting
    /// the handle. The handle may be dropped: the task goes on in its group.
    ///
    /// The task owns what it uses (`'static`): move an `Arc` or a clone into it. A clone of the group is for a task that
    /// spawns tasks.
    ///
    /// If the group is ending (a task has failed, or the block was left with an error), or has ended, `future` is dropped
    /// at once, and the handle results in [`TaskStopped`].
    ///
    /// ```
    /// # use guard_core::{GroupError, async_with, task_group};
    /// # use std::convert::Infallible;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), GroupError<Infallible>> {
    /// async_with!(group = task_group::<Infallible>()?, {
    ///     let answer = group.spawn(async { Ok(42) });
    ///     assert_eq!(answer.await, Ok(42));
    /// });
    /// # Ok(()) }
    /// ```
    pub fn spawn<F, T>(&self, future: F) -> TaskHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let Some(number) = self.group.begin() else {
            return TaskHandle::of(None);
        };
        let task = GroupTask::new(future, number, self.group.clone());
        let join = self.runtime.spawn(task);
        self.group.spawned(number, join.abort_handle());
        TaskHandle::of(Some(join))
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            group: self.group.clone(),
        }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("len", &self.len())
            .finish()
    }
}

/// A task of a [`TaskGroup`]: a future of its value.
pub struct TaskHandle<T> {
    /// `None` if the group had no place for it.
    join: Option<JoinHandle<Option<T>>>,
    /// It has ended without a value. The group's use is polled before this says so: if the task has failed, that ends the
    /// block, and with it the code that awaits the handle there.
    is_stopped: bool,
}

impl<T> TaskHandle<T> {
    fn of(join: Option<JoinHandle<Option<T>>>) -> Self {
        Self {
            join,
            is_stopped: false,
        }
    }

    /// Aborts this task only. The group goes on.
    pub fn abort(&self) {
        if let Some(join) = &self.join {
            join.abort();
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.join.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, TaskStopped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_stopped {
            return Poll::Ready(Err(TaskStopped(())));
        }
        if let Some(join) = &mut self.join {
            if let Ok(Some(value)) = ready!(Pin::new(join).poll(cx)) {
                return Poll::Ready(Ok(value));
            }
        }
        self.is_stopped = true;
        // Has the executor wake this task after all that is to be polled now.
        pin!(yield_now()).poll(cx).map(|()| Err(TaskStopped(())))
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// A task has ended without a value: it failed, panicked or was aborted, or its group was ending when it was spawned.
///
/// The reason is not in here, because the group has it. If the task failed or panicked, the block of the group is dropped at its
/// next `.await`, and the use fails with the error, or the panic goes on. So the block need not return this: it goes on with
/// any value until then, as in `handle.await.unwrap_or_default()`. It goes on for longer only if the task was aborted by
/// [`TaskHandle::abort`].
///
/// A `?` after `handle.await` needs an error that this converts into, as [`io::Error`](std::io::Error) is; else write
/// `handle.await.map_err(…)?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskStopped(());

impl fmt::Display for TaskStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task failed, panicked or was aborted; its group has the reason")
    }
}

impl core::error::Error for TaskStopped {}

impl From<TaskStopped> for std::io::Error {
    fn from(stopped: TaskStopped) -> Self {
        Self::other(stopped)
    }
}
