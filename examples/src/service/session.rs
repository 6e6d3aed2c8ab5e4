use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::request::Parts;
use guard_core::{AsyncContext, BoxContext, Outcome, async_context, cancellable, yield_resource};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::request_scope::depends;
use super::{App, Cache, Dependency, Error, Sessions};

/// The request's own transaction: `Depends<Session>` gives a handler the connection it runs on.
///
/// It is committed when the handler has succeeded, and rolled back when it answered with an error status,
/// panicked, or was dropped because the client went away.
#[derive(Debug)]
pub enum Session {}

impl Dependency for Session {
    type State = App;
    type Resource = SqliteConnection;

    async fn context(
        parts: &mut Parts,
        app: &App,
    ) -> Result<BoxContext<'static, SqliteConnection, Error>, Error> {
        // Entered before, so exited after: what has changed is forgotten when it is committed.
        depends::<Changes>(parts, app).await?;
        Ok(session(app.pool.clone(), app.sessions.clone()).boxed())
    }
}

#[async_context]
async fn session(pool: SqlitePool, sessions: Arc<Sessions>) -> Result<SqliteConnection, Error> {
    // A client that goes away while its request waits for a connection need not wait any longer.
    let mut connection = cancellable!(pool.acquire())?;
    // A transaction that is to write should say so at once, or it may find that another one has written.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sessions.begun.fetch_add(1, Ordering::Relaxed);
    let (ended, count) = match yield_resource!(*transaction) {
        Outcome::Completed => match transaction.commit().await {
            Ok(()) => (Ok(()), &sessions.committed),
            // What cannot be committed has been rolled back by being dropped.
            failed => (failed, &sessions.rolled_back),
        },
        _ => (transaction.rollback().await, &sessions.rolled_back),
    };
    count.fetch_add(1, Ordering::Relaxed);
    Ok(ended?)
}

/// The keys of what a request has changed, which the cache must forget, but not before the commit.
#[derive(Debug)]
pub enum Changes {}

impl Dependency for Changes {
    type State = App;
    type Resource = Vec<String>;

    async fn context(
        _: &mut Parts,
        app: &App,
    ) -> Result<BoxContext<'static, Vec<String>, Error>, Error> {
        Ok(changes(app.cache.clone()).boxed())
    }
}

#[async_context]
async fn changes(cache: Cache) -> Result<Vec<String>, Error> {
    let mut changed = Vec::new();
    // If the request failed, or the commit did, nothing has changed.
    if yield_resource!(changed).is_completed() {
        for key in changed {
            cache.remove(&key);
        }
    }
    Ok(())
}
