//! Jobs in a table of a database, for workers in one or several processes.

use std::fmt;
use std::time::Duration;

use guard_core::{Outcome, async_context, cancellable, yield_resource};
use sqlx::{SqliteConnection, SqlitePool, query, query_as, query_scalar, raw_sql};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// `free_at` is the time from which a worker may take the job, in seconds. `lease` is the token of the worker
/// that has it.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS job (
        id INTEGER PRIMARY KEY,
        payload TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        done BOOLEAN NOT NULL DEFAULT FALSE,
        free_at REAL NOT NULL DEFAULT (unixepoch('subsec')),
        lease TEXT
    )";

/// One statement, so that two workers cannot take the same job. Only the clock of the database counts.
const TAKE: &str = "
    UPDATE job SET lease = ?, free_at = unixepoch('subsec') + ?, attempts = attempts + 1
    WHERE id = (
        SELECT id FROM job WHERE NOT done AND free_at <= unixepoch('subsec') ORDER BY free_at, id LIMIT 1
    )
    RETURNING id, payload, attempts";
const RENEW: &str = "UPDATE job SET free_at = unixepoch('subsec') + ? WHERE lease = ?";
/// The lease stays until the exit, so that its renewal does not take it for lost.
const COMPLETE: &str = "UPDATE job SET done = TRUE WHERE lease = ? AND NOT done";
const GIVE_BACK: &str =
    "UPDATE job SET lease = NULL, free_at = unixepoch('subsec') + ? WHERE lease = ?";

/// A table of jobs.
#[derive(Clone, Debug)]
pub struct Queue {
    pool: SqlitePool,
    /// How long a job stays taken if its worker dies.
    lease: Duration,
    /// How long a job that has failed waits for its next attempt.
    pause: Duration,
}

impl Queue {
    /// Creates the table if there is none.
    ///
    /// # Errors
    ///
    /// The database cannot be reached, or has another table of this name.
    pub async fn open(pool: SqlitePool, lease: Duration, pause: Duration) -> sqlx::Result<Self> {
        raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self { pool, lease, pause })
    }

    /// The database.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Adds a job. In the transaction of what the job is about, the job is there if and only if that is.
    ///
    /// # Errors
    ///
    /// The statement fails.
    pub async fn add(&self, db: &mut SqliteConnection, payload: &str) -> sqlx::Result<()> {
        query("INSERT INTO job (payload) VALUES (?)")
            .bind(payload)
            .execute(db)
            .await?;
        Ok(())
    }

    /// The number of jobs that are not done.
    ///
    /// # Errors
    ///
    /// The statement fails.
    pub async fn left(&self) -> sqlx::Result<i64> {
        query_scalar("SELECT COUNT(*) FROM job WHERE NOT done")
            .fetch_one(&self.pool)
            .await
    }

    /// Takes the next job, and lends it. Lends `None` if there is nothing to do at the moment.
    ///
    /// The lease of the job is renewed beside the body, so `lease` does not limit it. If the lease is lost, the body
    /// ends where it waits. The body does the job, and calls [`Job::complete`] in the transaction of its
    /// results. A job that is not complete at the exit goes back to the queue: after a pause if the body failed or
    /// panicked, and at once if it was cancelled, since then it is not the job's fault. So no job is lost, and
    /// none is done twice.
    ///
    /// A guard renews nothing by itself: take the job in a block, or in `guard.drive`.
    ///
    /// # Errors
    ///
    /// The lease was lost, or a statement fails. If that is the one that gives the job back, the job is free when its
    /// lease has expired.
    #[async_context(owned)]
    pub async fn next(&self) -> Result<Option<Job>, JobError> {
        let lease = Uuid::new_v4().to_string();
        // This wait holds nothing yet. The statement after it must not be cut off: it may take a job.
        let mut connection = cancellable!(self.pool.acquire())?;
        let valid_until = Instant::now() + self.lease;
        let taken: Option<(i64, String, i64)> = query_as(TAKE)
            .bind(&lease)
            .bind(self.lease.as_secs_f64())
            .fetch_optional(&mut *connection)
            .await?;
        // The body may take long. It needs the job, and not this connection.
        drop(connection);
        let mut job = taken.map(|(id, payload, attempt)| Job {
            id,
            payload,
            attempt,
            lease: lease.clone(),
        });

        let is_taken = job.is_some();
        let renewal = async {
            if !is_taken {
                return Ok(());
            }
            self.renew(&lease, valid_until).await;
            Err(JobError::LeaseLost)
        };
        let pause = match yield_resource!(job, renewal) {
            Outcome::Failed(()) | Outcome::Panicked => self.pause,
            Outcome::Completed | Outcome::Cancelled => Duration::ZERO,
        };
        // This changes nothing if the lease was lost. A job that is complete is not taken again.
        query(GIVE_BACK)
            .bind(pause.as_secs_f64())
            .bind(&lease)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Renews a lease until it is lost.
    async fn renew(&self, lease: &str, mut valid_until: Instant) {
        loop {
            sleep(self.lease / 3).await;
            let renewed_until = Instant::now() + self.lease;
            let renewal = query(RENEW)
                .bind(self.lease.as_secs_f64())
                .bind(lease)
                .execute(&self.pool);
            match timeout_at(valid_until, renewal).await {
                Ok(Ok(renewed)) if renewed.rows_affected() > 0 => valid_until = renewed_until,
                // The next try may succeed before the lease expires.
                Ok(Err(_)) if Instant::now() < valid_until => {}
                // Another worker has the job, or the lease has expired.
                _ => return,
            }
        }
    }
}

/// A job that a worker has.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number in the table.
    pub id: i64,
    /// The work of the job.
    pub payload: String,
    /// The first attempt is 1.
    pub attempt: i64,
    lease: String,
}

impl Job {
    /// Marks the job as done. Call this in the transaction that writes the results of the job: then both are
    /// there, or none of them.
    ///
    /// # Errors
    ///
    /// The statement fails, or the lease was lost: then another worker may have the job, and the transaction must
    /// be rolled back.
    pub async fn complete(&self, db: &mut SqliteConnection) -> Result<(), JobError> {
        let completed = query(COMPLETE).bind(&self.lease).execute(db).await?;
        match completed.rows_affected() {
            0 => Err(JobError::LeaseLost),
            _ => Ok(()),
        }
    }
}

/// Why a job could not be taken, completed or given back.
#[derive(Debug)]
pub enum JobError {
    /// An error of the database.
    Database(sqlx::Error),
    /// The lease was lost. Another worker may have the job.
    LeaseLost,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::LeaseLost => f.write_str("the lease of the job was lost"),
        }
    }
}

impl std::error::Error for JobError {}

impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
