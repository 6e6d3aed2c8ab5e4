//! Many requests that time out while they wait for a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::any;
use guard_axum::{ContextOf, Dependency, Depends, RequestScopeLayer};
use guard_core::{
    AsyncContext, async_context, cancellable, drain, pending_cleanups, yield_resource,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_http::timeout::TimeoutLayer;

use crate::support::request;

const CONNECTIONS: usize = 10;
const REQUESTS: usize = 1_000;
const STATEMENT: Duration = Duration::from_millis(5);

/// A database that takes some time for a statement, and its pool.
#[derive(Clone)]
struct Database {
    connections: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Database {
    fn new() -> Self {
        Self {
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            begun: Arc::default(),
        }
    }

    async fn begin(&self, connection: OwnedSemaphorePermit) -> OwnedSemaphorePermit {
        self.begun.fetch_add(1, Relaxed);
        sleep(STATEMENT).await;
        connection
    }
}

/// A transaction whose wait for a connection ends with its request.
enum Transaction {}

impl Dependency for Transaction {
    type State = Database;
    type Resource = ();
    type Error = StatusCode;

    async fn context(_: &mut Parts, database: &Database) -> Result<ContextOf<Self>, StatusCode> {
        Ok(transaction(database.clone()).boxed())
    }
}

#[async_context]
async fn transaction(database: Database) -> Result<(), StatusCode> {
    let connection = cancellable!(database.connections.clone().acquire_owned());
    let connection = connection.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let connection = database.begin(connection).await;
    yield_resource!();
    sleep(STATEMENT).await;
    drop(connection);
    Ok(())
}

/// The same without `cancellable!`.
enum Patient {}

impl Dependency for Patient {
    type State = Database;
    type Resource = ();
    type Error = StatusCode;

    async fn context(_: &mut Parts, database: &Database) -> Result<ContextOf<Self>, StatusCode> {
        Ok(patient(database.clone()).boxed())
    }
}

#[async_context]
async fn patient(database: Database) -> Result<(), StatusCode> {
    let connection = database.connections.clone().acquire_owned().await;
    let connection = connection.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let connection = database.begin(connection).await;
    yield_resource!();
    sleep(STATEMENT).await;
    drop(connection);
    Ok(())
}

fn service<D: Dependency<State = Database>>(database: &Database) -> Router {
    let limit = Duration::from_millis(100);
    Router::new()
        .route("/", any(async |_: Depends<D>| ()))
        .layer(RequestScopeLayer::new())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            limit,
        ))
        .with_state(database.clone())
}

/// Sends requests while no connection is free, until all have timed out. Then the connections become free.
async fn overload(router: &Router, database: &Database) {
    let all = u32::try_from(CONNECTIONS).unwrap();
    let taken = database.connections.acquire_many(all).await.unwrap();
    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        requests.spawn(router.clone().oneshot(request()));
    }
    for response in requests.join_all().await {
        assert_eq!(response.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    }
    drop(taken);
}

/// How many clean-ups of this context go on.
fn pending(name: &str) -> usize {
    let all = pending_cleanups();
    all.iter()
        .filter(|cleanup| cleanup.name().ends_with(name))
        .count()
}

#[tokio::test(start_paused = true)]
async fn requests_that_time_out_while_they_wait_for_a_pool_leave_nothing_and_the_next_waits_for_none()
 {
    let database = Database::new();
    let router = service::<Transaction>(&database);
    overload(&router, &database).await;
    assert_eq!(pending("overload::transaction"), 0);
    assert_eq!(database.connections.available_permits(), CONNECTIONS);

    let began = Instant::now();
    let response = router.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // Its own `begin` and its own end, and nothing else.
    assert_eq!(began.elapsed(), 2 * STATEMENT);
    assert_eq!(database.begun.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn without_cancellable_each_of_them_still_begins_a_transaction_and_the_next_waits_for_all() {
    let database = Database::new();
    let router = service::<Patient>(&database);
    overload(&router, &database).await;
    assert_eq!(pending("overload::patient"), REQUESTS);

    let response = router.oneshot(request()).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    drain().await;
    assert_eq!(database.begun.load(Relaxed), REQUESTS + 1);
}
