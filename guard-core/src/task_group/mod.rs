//! A group of tasks beside a block.
//!
//! - `state`: what the group, its tasks and its context share
//! - `task`: the future that is spawned for a task
//! - `handle`: what is lent, and what `spawn` returns
//! - `error`: what a group fails with

mod error;
mod handle;
mod state;
mod task;

use std::boxed::Box;
use std::sync::Arc;

pub use error::{GroupError, TaskError};
pub use handle::{TaskGroup, TaskHandle, TaskStopped};
use state::{CloseOnDrop, Group};
use tokio::task::AbortHandle;

use crate::BoxContext;
use crate::macro_support::guaranteed;
use crate::raw::Yielder;
use crate::report::{PrintDebug, ReportSource, describe_debug};

/// A context that lends a [`TaskGroup`]: tasks that run beside the block, and none of which outlives it.
///
/// - **At the end of the block** the exit waits for all tasks, also for those that tasks spawn meanwhile.
/// - **If a task fails or panics** the block is dropped, the other tasks are aborted, and the exit waits for them. Then the use
///   fails with the error, or the panic goes on.
/// - **If the block fails, panics or is cancelled**, all tasks are aborted, and the exit waits for them: after a
///   cancellation in the background.
///
/// To wait for an aborted task is to wait until its future has been dropped, and until the clean-ups of the contexts in it
/// have ended.
///
/// # Examples
///
/// ```
/// use guard_core::{GroupError, async_with, task_group};
/// use std::io;
///
/// async fn size(path: &'static str) -> io::Result<u64> {
/// #   if path == "none" { return Err(io::ErrorKind::NotFound.into()); }
/// #   let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
///     Ok(tokio::fs::metadata(path).await?.len())
/// }
///
/// async fn total(paths: [&'static str; 2]) -> Result<u64, GroupError<io::Error>> {
///     async_with!(group = task_group()?, {
///         let sizes = paths.map(|path| group.spawn(size(path)));
///         let mut total = 0;
///         for size in sizes {
///             // If a task fails, the block ends here.
///             total += size.await.unwrap_or(0);
///         }
///         Ok(total)
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert!(total(["Cargo.toml", "Cargo.toml"]).await.is_ok());
/// let error = total(["Cargo.toml", "none"]).await.unwrap_err();
/// assert_eq!(error.first().kind(), io::ErrorKind::NotFound);
/// # }
/// ```
///
/// # Errors
///
/// The first error of a task. Errors of tasks that fail while they are aborted are [reported](crate::set_reporter). If the block had
/// ended before the first task failed, the error has all of them.
///
/// A block may fail with the tasks' error itself: a `?` makes a [`GroupError`] of it. In a function that returns the tasks'
/// error, the group's first one is taken out: `group = task_group().map_err(GroupError::into_first)?`.
///
/// A task that is not to end the group handles its error itself. Its panic stays outside the group if the code that may panic
/// runs in `tokio::spawn(…).await`; the group does not abort such a task. The value of a task that never returns one
/// cannot be inferred: `group.spawn::<_, ()>(…)`.
///
/// # Panics
///
/// The set-up panics outside of a tokio runtime.
///
/// # Cancellation
///
/// The tasks are aborted at once, in the destructor. What is left to wait for goes on in the background, and the use around
/// it waits, as for any [guaranteed](crate::guide::cancellation) context.
///
/// If a limit on the exit gives it up, the tasks are aborted, and the use around it waits for those that still run.
///
/// # In Python
///
/// `asyncio.TaskGroup`, and the nursery of Trio. There the errors come as an `ExceptionGroup`.
#[track_caller]
pub fn task_group<E>() -> BoxContext<'static, TaskGroup<E>, GroupError<E>>
where
    E: TaskError,
{
    let source = ReportSource::here::<TaskGroup<E>>(describe_debug);
    // Boxed, since an `impl AsyncContext` would have the bound of `E`, and rustc would tell of it again at each use.
    Box::pin(guaranteed(
        move |yielder: Yielder<TaskGroup<E>, (), GroupError<E>>| async move {
            let group = Group::<E>::new(source);
            let mut lent = TaskGroup::in_current_runtime(group.clone());
            // Also where the exit is never polled to its end.
            let _close_on_drop = CloseOnDrop(group.clone());
            let failing = first_failure(group.clone());
            let yielded = yielder.token().lend_beside(&yielder, failing, &mut lent);
            if !yielded.await.is_completed() {
                group.abort();
            }
            group.ended().await;
            let (errors, panic) = group.take_failures();
            if let Some(panic) = panic {
                // The errors have no caller then.
                group.report(errors, None);
                panic.resume()
            }
            GroupError::new(errors).map_or(Ok(()), Err)
        },
        PrintDebug,
    ))
}

/// Ends the block when a task has failed or panicked.
async fn first_failure<E>(group: Arc<Group<E>>) -> Result<(), GroupError<E>> {
    match group.first_failure().await {
        Ok(error) => Err(GroupError::one(error)),
        Err(panic) => panic.resume(),
    }
}
