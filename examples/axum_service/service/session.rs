//! The dependencies of a request: its transaction, and the cache keys that are removed after the commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::request::Parts;
use guard_axum::{ContextOf, Dependency, Depends};
use guard_core::{AsyncContext, Outcome, async_context, cancellable, yield_resource};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::{App, Cache, Error, Sessions};

/// The transaction of a request: `Depends<Session>` gives a handler the connection.
///
/// It is committed when the handler succeeds, and rolled back when the handler answers with an error status,
/// panics, or is dropped because the client has gone away.
#[derive(Debug)]
pub enum Session {}

impl Dependency for Session {
    type State = App;
    type Resource = SqliteConnection;
    type Error = Error;

    async fn context(parts: &mut Parts, app: &App) -> Result<ContextOf<Self>, Error> {
        // `Changes` is entered before, so it exits after the commit.
        Depends::<Changes>::of(parts, app).await?;
        Ok(session(app.pool.clone(), app.sessions.clone()).boxed())
    }
}

#[async_context]
async fn session(pool: SqlitePool, sessions: Arc<Sessions>) -> Result<SqliteConnection, Error> {
    // A request whose client has gone away need not wait for a connection.
    let mut connection = cancellable!(pool.acquire())?;
    // A transaction that writes should say so at its start. Otherwise another one may write first.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sessions.begun.fetch_add(1, Ordering::Relaxed);
    let (ended, count) = match yield_resource!(*transaction) {
        Outcome::Completed => match transaction.commit().await {
            Ok(()) => (Ok(()), &sessions.committed),
            // A transaction that fails to commit was rolled back when it was dropped.
            failed => (failed, &sessions.rolled_back),
        },
        _ => (transaction.rollback().await, &sessions.rolled_back),
    };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(ended?)
}

/// The cache keys of what a request has changed. The cache removes them after the commit.
#[derive(Debug)]
pub enum Changes {}

impl Dependency for Changes {
    type State = App;
    type Resource = Vec<String>;
    type Error = Error;

    async fn context(_: &mut Parts, app: &App) -> Result<ContextOf<Self>, Error> {
        Ok(changes(app.cache.clone()).boxed())
    }
}

#[async_context]
async fn changes(cache: Cache) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    // If the request or the commit failed, nothing has changed.
    if yield_resource!(changed).is_completed() {
        for key in changed {
            cache.remove(&key);
        }
    }
    Ok(())
}
