//! A service with a log-in, and with some slow pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use tokio::sync::Notify;

/// The state of the service.
#[derive(Default)]
pub(crate) struct Service {
    logged_in: AtomicUsize,
    /// Notified when a slow request has begun.
    pub(crate) begun: Notify,
}

impl Service {
    /// The number of sessions that are logged in.
    pub(crate) fn logged_in(&self) -> usize {
        self.logged_in.load(Ordering::SeqCst)
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/session", post(log_in).delete(log_out))
            .route("/hello", get(hello))
            .route("/slow", get(slow))
            .route("/for-ever", get(for_ever))
            .with_state(self.clone())
    }
}

async fn log_in(State(service): State<Arc<Service>>) -> &'static str {
    service.logged_in.fetch_add(1, Ordering::SeqCst);
    "secret"
}

async fn log_out(State(service): State<Arc<Service>>, headers: HeaderMap) -> StatusCode {
    if !may_enter(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    service.logged_in.fetch_sub(1, Ordering::SeqCst);
    StatusCode::NO_CONTENT
}

async fn hello(headers: HeaderMap) -> Result<&'static str, StatusCode> {
    if may_enter(&headers) {
        Ok("hello")
    } else {
        Err(StatusCode::UNAUTHORIZED)
    }
}

async fn slow(State(service): State<Arc<Service>>) -> &'static str {
    service.begun.notify_one();
    tokio::time::sleep(Duration::from_millis(100)).await;
    "worth the wait"
}

async fn for_ever(State(service): State<Arc<Service>>) {
    service.begun.notify_one();
    std::future::pending().await
}

fn may_enter(headers: &HeaderMap) -> bool {
    headers
        .get("authorization")
        .is_some_and(|value| value == "Bearer secret")
}
