//! A transaction of a blocking library.

use std::path::PathBuf;
use std::time::Duration;

use guard_core::{AsyncContext, Outcome, blocking};
use rusqlite::{Connection, Error};

/// How long to wait for other writers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lends a connection to the SQLite database in `file`, in a transaction. The exit commits if the body
/// succeeded, and rolls back if it failed, panicked or was cancelled.
///
/// Threads that may block open the database, wait for other writers, and end the transaction. The body runs
/// in an async task: it calls [`block_in_place`](tokio::task::block_in_place) for queries that can take long.
///
/// # Errors
///
/// The database cannot be opened, or the transaction cannot be begun or ended.
#[track_caller]
pub fn transaction(
    file: PathBuf,
) -> impl AsyncContext<Resource = Connection, Error = Error> + Send + 'static {
    blocking(
        move || {
            let connection = Connection::open(file)?;
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch("BEGIN IMMEDIATE")?;
            Ok(connection)
        },
        |connection: Connection, outcome| {
            connection.execute_batch(match outcome {
                Outcome::Completed => "COMMIT",
                Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => "ROLLBACK",
            })?;
            connection.close().map_err(|(_, error)| error)
        },
    )
}
