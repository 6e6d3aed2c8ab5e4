//! Workers that take jobs from a table. SIGTERM stops them: they finish what they can, and give the rest back.
//!
//! The contexts are in `queue.rs`, and the workers in `workers.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example job_worker              # sends itself the signals
//! cargo run -p guard-examples --example job_worker -- jobs.db   # works until it gets one
//! sqlite3 jobs.db "INSERT INTO job (payload) VALUES ('say hello')"
//! ```

use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, ensure};
use guard_core::{async_context, async_with, yield_resource};
use guard_examples::files::temporary_directory;
use guard_examples::job_worker::{Job, Queue, run_workers};
use guard_examples::session::session;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{query, query_as};
use tokio::signal::unix::{SignalKind, signal};

/// Long, to show that nobody waits for it to expire.
const LEASE: Duration = Duration::from_secs(3600);
/// Short, to be quick. A job that has failed is tried again after those that wait already.
const PAUSE: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if let Some(file) = std::env::args().nth(1) {
        return serve(Path::new(&file), 4, Duration::from_secs(10)).await;
    }
    async_with!(directory = temporary_directory()?, {
        demonstrate(&directory.path().join("jobs.db")).await?;
    });
    Ok(())
}

/// A queue in a file, with a table for the results.
#[async_context(owned)]
async fn queue(file: &Path) -> sqlx::Result<Queue> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit does not wait for the disk. A power failure may undo the last ones, and corrupts nothing.
        .synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    query("CREATE TABLE IF NOT EXISTS result (job INTEGER, text TEXT)")
        .execute(&pool)
        .await?;
    let mut queue = Queue::open(pool, LEASE, PAUSE).await?;
    yield_resource!(queue);
    queue.pool().close().await;
    Ok(())
}

/// Works until SIGTERM, which is how service managers stop a process.
async fn serve(file: &Path, workers: usize, grace: Duration) -> anyhow::Result<()> {
    // From here on the signal does not kill the process.
    let mut terminate = signal(SignalKind::terminate())?;
    let terminated = async {
        terminate.recv().await;
    };
    async_with!(queue = queue(file)?, {
        let report = |error: &str| println!("failed: {error}");
        let cut_off = run_workers(queue, workers, handle, report, terminated, grace).await;
        println!("stopped, {cut_off} cut off, {} left", queue.left().await?);
    });
    Ok(())
}

/// What these jobs do.
async fn handle(queue: Queue, job: Job) -> anyhow::Result<()> {
    println!("attempt {} to {}", job.attempt, job.payload);
    match job.payload.as_str() {
        "send a mail" if job.attempt == 1 => bail!("the mail server is down"),
        "make a film" if job.attempt == 1 => {
            send_sigterm()?;
            pending::<()>().await;
        }
        "stop the service" => send_sigterm()?,
        _ => {}
    }
    // The result is there if and only if the job is done.
    async_with!(db = session(queue.pool().clone())?, {
        query("INSERT INTO result VALUES (?, 'did ' || ?)")
            .bind(job.id)
            .bind(&job.payload)
            .execute(&mut *db)
            .await?;
        job.complete(db).await?;
    });
    Ok(())
}

async fn demonstrate(file: &Path) -> anyhow::Result<()> {
    async_with!(queue = queue(file)?, {
        async_with!(db = session(queue.pool().clone())?, {
            for payload in ["send a mail", "draw a cat", "make a film"] {
                queue.add(db, payload).await?;
            }
        });
    });
    // One worker, so that the order is known.
    serve(file, 1, Duration::from_millis(100)).await?;

    async_with!(queue = queue(file)?, {
        async_with!(db = session(queue.pool().clone())?, {
            queue.add(db, "stop the service").await?;
        });
    });
    serve(file, 1, Duration::from_secs(60)).await?;

    async_with!(queue = queue(file)?, {
        let results: Vec<(i64, String)> = query_as("SELECT job, text FROM result ORDER BY job")
            .fetch_all(queue.pool())
            .await?;
        for (job, text) in &results {
            println!("job {job}: {text}");
        }
        ensure!(results.len() == 4, "each job is done once");
    });
    Ok(())
}

fn send_sigterm() -> anyhow::Result<()> {
    let sent = Command::new("sh")
        .args(["-c", "kill -TERM $PPID"])
        .status()?;
    ensure!(sent.success(), "the signal could not be sent");
    Ok(())
}
