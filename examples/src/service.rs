//! An axum service with a lifespan, and with dependencies that each request enters and exits.
//!
//! FastAPI's *lifespan* is the context [`lifespan`]: it opens what the application needs, and [`serve`] runs
//! the application inside it. FastAPI's *dependency with yield* is a [`Dependency`], and a handler asks for
//! it with [`Depends`]. One difference is on purpose: the dependencies of a request exit before the response
//! is sent, so a failed commit is a `500` and not a success.

mod cache;
mod error;
mod lifespan;
mod request_scope;
mod session;

pub use cache::Cache;
pub use error::{Error, Result};
pub use lifespan::{App, Sessions, Settings, lifespan};
pub use request_scope::{Dependency, Depends, Locked, depends, with_request_scope};
pub use session::{Changes, Session};

use axum::Router;
use axum::middleware::from_fn;
use guard_core::{async_with, drain};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::http::server;

/// Runs the application until `shutdown`.
///
/// The set-up ends before the first request is answered, and its error is the error of this function. After
/// `shutdown`, running requests have the time of the settings to end. Then everything that was opened is
/// closed, last in first out, and the function waits for the clean-ups of cancelled requests.
///
/// # Errors
///
/// The start-up or the shutdown failed, or requests were aborted.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    routes: Router<App>,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let served = run(listener, settings, routes, shutdown).await;
    drain().await;
    served
}

async fn run(
    listener: TcpListener,
    settings: Settings,
    routes: Router<App>,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let grace = settings.grace;
    async_with!(app = lifespan(settings)?, {
        let router = routes
            .layer(from_fn(with_request_scope))
            // The outer layer, because the scope rolls back and then lets a panic unwind.
            .layer(CatchPanicLayer::new())
            .with_state(app.clone());
        async_with!(_server = server(listener, router, grace)?, {
            shutdown.await
        });
    });
    Ok(())
}
