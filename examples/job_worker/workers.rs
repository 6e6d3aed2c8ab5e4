//! Workers that take jobs from a queue, until they are told to stop.

use std::pin::pin;
use std::time::Duration;

use guard_core::{async_with, drain};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::queue::{Job, Queue};

/// How long a worker waits before it looks again, if there was no job.
const IDLE: Duration = Duration::from_millis(20);

/// Runs `count` workers until `shutdown` is ready. Then no more jobs are taken, and those in work have the time
/// `grace` to end. Workers that need longer are cut off. Their jobs are back in the queue when this function returns.
/// It returns how many were cut off.
///
/// A job that fails or panics is tried again; the error is handed to `report`.
pub async fn run_workers<F>(
    queue: &Queue,
    count: usize,
    handle: impl Fn(Queue, Job) -> F + Clone + Send + Sync + 'static,
    report: impl Fn(&str) + Clone + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) -> usize
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (stop, stopped) = watch::channel(false);
    let mut workers = JoinSet::new();
    let worker = || {
        work(
            queue.clone(),
            handle.clone(),
            report.clone(),
            stopped.clone(),
        )
    };
    for _ in 0..count {
        workers.spawn(worker());
    }

    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // Only a panic ends a worker before that. Another one takes its place.
            Some(_panic) = workers.join_next() => {
                report("a job has panicked");
                workers.spawn(worker());
            }
        }
    }

    stop.send_replace(true);
    let all_ended = async { while workers.join_next().await.is_some() {} };
    let in_time = timeout(grace, all_ended).await.is_ok();
    // An aborted task drops its contexts when the runtime gets to it. So first await the tasks, and then what they
    // have left to do: give their jobs back.
    let mut cut_off = 0;
    if !in_time {
        workers.abort_all();
        while let Some(ended) = workers.join_next().await {
            cut_off += usize::from(ended.is_err_and(|error| error.is_cancelled()));
        }
    }
    drain().await;
    cut_off
}

async fn work<F>(
    queue: Queue,
    handle: impl Fn(Queue, Job) -> F,
    report: impl Fn(&str),
    mut stopped: watch::Receiver<bool>,
) where
    F: Future<Output = anyhow::Result<()>>,
{
    while !*stopped.borrow() {
        let worked: anyhow::Result<bool> = async_with!(attempt(job = queue.next()?), {
            match job {
                Some(job) => {
                    handle(queue.clone(), job.clone()).await?;
                    true
                }
                None => false,
            }
        });
        if let Err(error) = &worked {
            report(&error.to_string());
        }
        if !worked.unwrap_or(false) {
            // Nothing to do, or the database has a problem.
            let _ = timeout(IDLE, stopped.changed()).await;
        }
    }
}
