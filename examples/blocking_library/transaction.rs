//! A transaction of a library that knows nothing of async.

use std::path::PathBuf;
use std::time::Duration;

use guard_core::{AsyncContext, Outcome, blocking};
use rusqlite::{Connection, Error};

/// How long to wait for those who write before us.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lends a connection to the SQLite database in `file`, in a transaction: committed when the body
/// succeeds; rolled back when it fails, panics, or is cancelled.
///
/// Opening, waiting for other writers, and ending the transaction take place on threads that may block.
/// The body is an async function's like any other: it runs its queries in
/// [`block_in_place`](tokio::task::block_in_place), if they can take long.
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
