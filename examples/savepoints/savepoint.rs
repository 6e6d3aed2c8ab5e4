//! Steps of a transaction, each of which can be undone alone.

use std::fmt;
use std::sync::Arc;

use guard_core::{Outcome, async_context, cancellable, yield_resource};
use sqlx::{Acquire, Connection, Database, Error, Pool, Transaction};
use tokio::sync::Mutex;

/// A step on a connection that is in a transaction. If the body fails or panics, only the step is undone.
///
/// It borrows the connection, so it is `scoped`: when it is cancelled, it ends where it stands. It may be cancelled
/// together with the transaction, but not alone, for example by a time limit around it. A rollback that nobody can
/// await is then up to the driver, and sqlx 0.9 on SQLite has a gap there, with and without guard: cut off while it
/// makes the savepoint, it rolls back twice, so the transaction as well, and what follows is committed on its own. A step
/// that may be cancelled alone is [`SharedTransaction::step`].
///
/// # Errors
///
/// The savepoint cannot be made or ended.
#[async_context(scoped)]
pub async fn step<C>(connection: &mut C) -> Result<C, Error>
where
    C: Connection<Database: Database<Connection = C>>,
{
    let mut savepoint = connection.begin().await?;
    match yield_resource!(*savepoint) {
        Outcome::Completed => savepoint.commit().await,
        Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => savepoint.rollback().await,
    }
}

/// A transaction whose steps can be handed to several functions, also to such that run side by side.
pub struct SharedTransaction<DB: Database> {
    /// `None` after its end.
    transaction: Arc<Mutex<Option<Transaction<'static, DB>>>>,
}

/// Lends a transaction that can be shared. The exit commits it if the body succeeded.
///
/// The exit waits for the steps that have not ended, the cancelled ones included. A step after the exit is an error.
///
/// # Errors
///
/// No connection can be acquired, or the transaction cannot be begun or ended.
#[async_context]
pub async fn shared_transaction<DB: Database>(
    pool: Pool<DB>,
) -> Result<SharedTransaction<DB>, Error> {
    // This may be cut off: sqlx rolls back what it has begun.
    let transaction = cancellable!(pool.begin())?;
    let mut shared = SharedTransaction {
        transaction: Arc::new(Mutex::new(Some(transaction))),
    };
    let outcome = yield_resource!(shared);
    let Some(transaction) = shared.transaction.lock().await.take() else {
        return Ok(());
    };
    match outcome {
        Outcome::Completed => transaction.commit().await,
        Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => {
            transaction.rollback().await
        }
    }
}

impl<DB: Database> SharedTransaction<DB> {
    /// A step of this transaction, which has the connection while it lasts. Other steps wait.
    ///
    /// If the body fails, panics or is cancelled, only this step is undone. After a cancellation the rollback goes
    /// on in the background. The next step and the end of the transaction wait for it.
    ///
    /// A step in this step is [`step`], with the connection. Another step of the transaction would wait for ever.
    ///
    /// # Errors
    ///
    /// The savepoint cannot be made or ended, or the transaction has ended.
    #[async_context(owned)]
    pub async fn step(&self) -> Result<DB::Connection, Error> {
        let mut transaction = cancellable!(self.transaction.lock());
        let transaction = transaction.as_mut().ok_or_else(ended)?;
        let mut savepoint = transaction.begin().await?;
        match yield_resource!(*savepoint) {
            Outcome::Completed => savepoint.commit().await,
            Outcome::Failed(()) | Outcome::Panicked | Outcome::Cancelled => {
                savepoint.rollback().await
            }
        }
    }
}

fn ended() -> Error {
    Error::InvalidArgument("the transaction has ended".to_owned())
}

impl<DB: Database> Clone for SharedTransaction<DB> {
    fn clone(&self) -> Self {
        let transaction = self.transaction.clone();
        Self { transaction }
    }
}

impl<DB: Database> fmt::Debug for SharedTransaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedTransaction").finish_non_exhaustive()
    }
}
