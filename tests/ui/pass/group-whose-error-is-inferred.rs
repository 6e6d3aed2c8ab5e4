//! The error of a task group is inferred from what is around it, or from its tasks.

use guard_core::{
    AsyncContext, GroupError, TaskGroup, async_context, async_with, task_group, yield_resource,
};
use std::error::Error;
use std::fmt::Debug;
use std::io;

async fn length(text: &'static str) -> io::Result<usize> {
    Ok(text.len())
}

async fn by_the_function() -> Result<usize, GroupError<io::Error>> {
    async_with!(group = task_group()?, {
        let task = group.spawn(length("by the function"));
        Ok(task.await.unwrap_or_default())
    })
}

async fn by_a_task() -> Option<usize> {
    let length: Result<usize, GroupError<io::Error>> = async_with!(attempt(group = task_group()?), {
        group.spawn(length("by a task")).await.unwrap_or_default()
    });
    length.ok()
}

async fn by_the_adapter() -> io::Result<()> {
    async_with!(group = task_group().map_err(GroupError::into_first)?, {
        group.spawn(length("by the adapter"));
    });
    Ok(())
}

async fn by_a_closure() -> Result<usize, GroupError<Box<dyn Error + Send + Sync>>> {
    task_group()
        .with(async |group| {
            let task = group.spawn(async { Ok(length("by a closure").await?) });
            Ok(task.await.unwrap_or_default())
        })
        .await
}

async fn joined() -> Result<(), GroupError<io::Error>> {
    async_with!(join(first = task_group()?, second = task_group()?), {
        first.spawn(length("joined"));
        second.spawn(length("joined"));
    });
    Ok(())
}

async fn generic<E: Debug + Send + 'static>(
    work: impl Future<Output = Result<(), E>> + Send + 'static,
) -> Result<(), GroupError<E>> {
    async_with!(group = task_group()?, {
        spawn_in(group, work);
    });
    Ok(())
}

fn spawn_in<E: Send + 'static>(
    group: &TaskGroup<E>,
    work: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    drop(group.spawn(work));
}

fn named() -> impl AsyncContext<Resource = TaskGroup<io::Error>, Error = GroupError<io::Error>> + Send + 'static {
    task_group()
}

#[async_context]
async fn workers() -> Result<TaskGroup<io::Error>, GroupError<io::Error>> {
    async_with!(group = task_group()?, {
        group.spawn(length("workers"));
        yield_resource!(*group);
    });
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    assert_eq!(tokio::spawn(by_the_function()).await??, 15);
    assert_eq!(tokio::spawn(by_a_task()).await?, Some(9));
    tokio::spawn(by_the_adapter()).await??;
    assert_eq!(by_a_closure().await.ok(), Some(12));
    joined().await?;
    generic(async { Err(io::Error::other("failed")) }).await.unwrap_err();
    let mut guard = named().enter().await?;
    guard.spawn(length("named"));
    guard.drive(async |group| group.spawn(length("named")).await).await??;
    guard.exit().await?;
    async_with!(group = workers()?, {
        group.spawn(length("in a wrapper"));
    });
    Ok(())
}
