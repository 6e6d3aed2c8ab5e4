//! Jobs that fail, panic, are cut off or lose their worker: none is lost, and none is done twice.

#[path = "support/poll_until.rs"]
mod poll_until;

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::ensure;
use futures_util::{StreamExt, stream};
use guard_core::testing::cancel_at_every_poll;
use guard_core::{async_context, async_with, drain, within, yield_resource};
use guard_examples::files::temporary_directory;
use guard_examples::job_worker::{Job, Queue, run_workers};
use guard_examples::session::session;
use poll_until::poll_until;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{query, query_scalar};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than any test may take: what is free again was given back.
const LEASE: Duration = Duration::from_secs(3600);
/// For what should happen at once.
const LIMIT: Duration = Duration::from_secs(30);

/// A queue in a database of its own. What a job does is to add a row to `result`.
#[async_context]
async fn queue(lease: Duration) -> anyhow::Result<Queue> {
    async_with!(directory = temporary_directory()?, {
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("jobs.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A slow disk holds up nobody.
            .synchronous(SqliteSynchronous::Off);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(options);
        query("CREATE TABLE result (job INTEGER NOT NULL)")
            .execute(&pool)
            .await?;
        let mut queue = Queue::open(pool, lease, Duration::ZERO).await?;
        yield_resource!(queue);
        queue.pool().close().await;
    });
    Ok(())
}

async fn add(queue: &Queue, jobs: usize) -> sqlx::Result<()> {
    async_with!(db = session(queue.pool().clone())?, {
        for job in 1..=jobs {
            queue.add(db, &format!("job {job}")).await?;
        }
    });
    Ok(())
}

async fn finish(queue: &Queue, job: &Job) -> anyhow::Result<()> {
    async_with!(db = session(queue.pool().clone())?, {
        query("INSERT INTO result VALUES (?)")
            .bind(job.id)
            .execute(&mut *db)
            .await?;
        job.complete(db).await?;
    });
    Ok(())
}

/// Does one job, if there is one. Returns its number.
async fn do_one(queue: &Queue) -> anyhow::Result<Option<i64>> {
    Ok(async_with!(job = queue.next()?, {
        match job {
            Some(job) => {
                finish(queue, job).await?;
                Some(job.id)
            }
            None => None,
        }
    }))
}

/// The jobs that were done. One that was done twice is there twice.
async fn results(queue: &Queue) -> sqlx::Result<Vec<i64>> {
    query_scalar("SELECT job FROM result ORDER BY job")
        .fetch_all(queue.pool())
        .await
}

async fn free_at(queue: &Queue) -> sqlx::Result<f64> {
    query_scalar("SELECT free_at FROM job")
        .fetch_one(queue.pool())
        .await
}

async fn leases(queue: &Queue) -> sqlx::Result<i64> {
    query_scalar("SELECT COUNT(*) FROM job WHERE lease IS NOT NULL")
        .fetch_one(queue.pool())
        .await
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn a_job_that_is_taken_is_nobody_elses() -> anyhow::Result<()> {
    add(queue, 1).await?;
    async_with!(first = queue.next()?, second = queue.next()?, {
        assert!(first.is_some());
        assert!(second.is_none());
        assert_eq!(leases(queue).await?, 1);
    });
    assert_eq!(do_one(queue).await?, Some(1));
    assert_eq!((leases(queue).await?, queue.left().await?), (0, 0));
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn jobs_that_fail_or_panic_are_tried_again() -> anyhow::Result<()> {
    add(queue, 3).await?;
    let reports = Arc::new(Mutex::new(Vec::new()));
    let report = {
        let reports = reports.clone();
        move |error: &str| reports.lock().unwrap().push(error.to_owned())
    };
    let handle = async |queue: Queue, job: Job| match (job.id, job.attempt) {
        (1, 1) => anyhow::bail!("job 1 has failed"),
        (2, 1) => panic!("expected"),
        _ => finish(&queue, &job).await,
    };
    let all_done = async {
        while queue.left().await.is_ok_and(|left| left > 0) {
            tokio::task::yield_now().await;
        }
    };
    let workers = run_workers(queue, 2, handle, report, all_done, LIMIT);
    assert_eq!(timeout(LIMIT, workers).await?, 0);

    assert_eq!(results(queue).await?, [1, 2, 3]);
    let mut reports = reports.lock().unwrap().clone();
    reports.sort();
    assert_eq!(reports, ["a job has panicked", "job 1 has failed"]);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn workers_that_do_not_end_in_time_are_cut_off_and_their_jobs_are_free() -> anyhow::Result<()>
{
    add(queue, 4).await?;
    let begun = Arc::new(AtomicUsize::new(0));
    let all_begun = Arc::new(Notify::new());
    let handle = {
        let (begun, all_begun) = (begun.clone(), all_begun.clone());
        move |_, _| {
            let (begun, all_begun) = (begun.clone(), all_begun.clone());
            async move {
                if begun.fetch_add(1, Relaxed) == 2 {
                    all_begun.notify_one();
                }
                pending().await
            }
        }
    };
    let report = |error: &str| panic!("{error}");
    let workers = run_workers(
        queue,
        3,
        handle,
        report,
        all_begun.notified(),
        Duration::ZERO,
    );
    assert_eq!(timeout(LIMIT, workers).await?, 3);

    assert_eq!((leases(queue).await?, queue.left().await?), (0, 4));
    while do_one(queue).await?.is_some() {}
    assert_eq!(results(queue).await?, [1, 2, 3, 4]);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn a_worker_can_be_cut_off_at_any_point() -> anyhow::Result<()> {
    let jobs = AtomicUsize::new(0);
    cancel_at_every_poll(
        async || {
            jobs.fetch_add(1, Relaxed);
            add(queue, 1).await?;
            do_one(queue).await
        },
        async |cut| {
            // Whatever was cut off: no lease is left, and what is not done can be done at once.
            ensure!(cut.reports().is_empty(), "an error was lost");
            ensure!(leases(queue).await? == 0, "a lease is left");
            while do_one(queue).await?.is_some() {}
            let added: i64 = query_scalar("SELECT COUNT(*) FROM job")
                .fetch_one(queue.pool())
                .await?;
            let done = results(queue).await?;
            ensure!(
                done == Vec::from_iter(1..=added),
                "{added} jobs, done: {done:?}"
            );
            Ok(())
        },
    )
    .await?;
    assert!(jobs.load(Relaxed) > 1);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn workers_cut_off_at_random_points_lose_no_job() -> anyhow::Result<()> {
    const JOBS: usize = 100;
    add(queue, JOBS).await?;
    let mut seed: u64 = 2026;
    let cuts: Vec<u64> = (0..3 * JOBS)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % 30
        })
        .collect();
    let cut_off: usize = stream::iter(cuts)
        .map(async |cut| poll_until(do_one(queue), |polls| polls as u64 == cut).await)
        .buffer_unordered(8)
        .map(|ended| usize::from(ended.is_none()))
        .fold(0, async |sum, one| sum + one)
        .await;
    drain().await;
    assert!(cut_off > 0);
    assert_eq!(leases(queue).await?, 0);

    while do_one(queue).await?.is_some() {}
    let expected: Vec<i64> = (1..=100).collect();
    assert_eq!(results(queue).await?, expected);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(Duration::from_millis(1500))?)]
async fn the_lease_of_a_long_job_is_renewed() -> anyhow::Result<()> {
    add(queue, 1).await?;
    async_with!(job = queue.next()?, {
        assert!(job.is_some());
        let (mut last, mut renewals) = (free_at(queue).await?, 0);
        let renewed = async {
            while renewals < 2 {
                let now = free_at(queue).await?;
                renewals += u32::from(now > last);
                last = now;
                tokio::task::yield_now().await;
            }
            Ok::<_, sqlx::Error>(())
        };
        timeout(LIMIT, renewed).await??;
    });
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn a_job_whose_worker_died_is_free_when_its_lease_has_expired() -> anyhow::Result<()> {
    add(queue, 1).await?;
    // What a process leaves that is killed.
    query("UPDATE job SET lease = 'of a dead worker', free_at = unixepoch('subsec') + 3600")
        .execute(queue.pool())
        .await?;
    assert_eq!(do_one(queue).await?, None);
    query("UPDATE job SET free_at = unixepoch('subsec')")
        .execute(queue.pool())
        .await?;
    assert_eq!(do_one(queue).await?, Some(1));
    Ok(())
}

#[tokio::test]
#[within(queue = queue(LEASE)?)]
async fn a_job_whose_lease_was_lost_leaves_no_result() -> anyhow::Result<()> {
    add(queue, 1).await?;
    async_with!(job = queue.next()?, {
        let job = job.as_ref().expect("there is a job");
        // This worker was so slow that the lease has expired, and another one has the job.
        query("UPDATE job SET free_at = 0")
            .execute(queue.pool())
            .await?;
        assert_eq!(do_one(queue).await?, Some(1));

        let late = finish(queue, job).await.unwrap_err();
        assert_eq!(late.to_string(), "the lease of the job was lost");
    });
    assert_eq!(results(queue).await?, [1]);
    assert_eq!(queue.left().await?, 0);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(Duration::from_millis(300))?)]
async fn a_body_whose_lease_was_lost_ends_where_it_waits() -> anyhow::Result<()> {
    add(queue, 1).await?;
    let waits = async {
        async_with!(job = queue.next()?, {
            assert!(job.is_some());
            query("UPDATE job SET lease = 'of another worker'")
                .execute(queue.pool())
                .await?;
            pending::<()>().await;
        });
        anyhow::Ok(())
    };
    let lost = timeout(LIMIT, waits).await?.unwrap_err();
    assert_eq!(lost.to_string(), "the lease of the job was lost");
    // It was not given back, since it was another worker's.
    assert_eq!(leases(queue).await?, 1);
    Ok(())
}

#[tokio::test]
#[within(queue = queue(Duration::from_millis(1500))?)]
async fn a_job_that_is_complete_is_not_lost_while_its_body_goes_on() -> anyhow::Result<()> {
    add(queue, 1).await?;
    async_with!(job = queue.next()?, {
        finish(queue, job.as_ref().expect("there is a job")).await?;
        let complete = free_at(queue).await?;
        let renewed = async {
            while free_at(queue).await? <= complete {
                tokio::task::yield_now().await;
            }
            Ok::<_, sqlx::Error>(())
        };
        timeout(LIMIT, renewed).await??;
    });
    assert_eq!((leases(queue).await?, queue.left().await?), (0, 0));
    assert_eq!(do_one(queue).await?, None);
    Ok(())
}
