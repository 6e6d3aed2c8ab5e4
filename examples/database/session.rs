//! A database session: a connection with an open transaction.

use guard_core::{Outcome, async_context, cancellable, yield_resource};
use sqlx::{Acquire, Database, Error, Pool};

/// Lends a connection of the pool, in a transaction. The exit commits if the body succeeded, and rolls back
/// if it failed, panicked or was cancelled. The connection always goes back to the pool.
///
/// The resource is the connection, so the body can run queries and make savepoints (with `begin`), but cannot
/// end the transaction.
///
/// Works for every database of sqlx. To use it, copy this function.
///
/// # Errors
///
/// No connection can be acquired, or the transaction cannot be begun or ended.
#[async_context]
pub async fn session<DB: Database>(pool: Pool<DB>) -> Result<DB::Connection, Error> {
    // This wait holds nothing yet, so a cancelled session can stop here.
    let mut connection = cancellable!(pool.acquire())?;
    let mut transaction = connection.begin().await?;
    match yield_resource!(*transaction) {
        Outcome::Completed => transaction.commit().await?,
        Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => {
            transaction.rollback().await?;
        }
    }
    Ok(())
}
