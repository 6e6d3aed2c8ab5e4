//! A database session: a transaction, and the connection it is on.

use guard_core::{Outcome, async_context, cancellable, yield_resource};
use sqlx::{Acquire, Database, Error, Pool};

/// Lends a connection of the pool in a transaction: committed when the body succeeds; rolled back when
/// it fails, panics, or is cancelled. The connection goes back to the pool in every case.
///
/// What is lent is the connection itself, so that the body can run queries and make savepoints (with
/// `begin`), but not end the transaction.
///
/// Works for every database that sqlx does. To copy it, copy this function.
///
/// # Errors
///
/// There is no connection to be had, or the transaction cannot be begun or ended.
#[async_context]
pub async fn session<DB: Database>(pool: Pool<DB>) -> Result<DB::Connection, Error> {
    // Nothing is taken as long as this waits, so a cancelled session need not wait on.
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
