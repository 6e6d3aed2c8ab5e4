//! An axum service with a lifespan, and with dependencies that each request enters and exits.
//!
//! What FastAPI calls *lifespan* is the context [`lifespan`]: it opens what the application needs, and
//! [`serve`] runs the application inside it. What FastAPI calls a *dependency with yield* is a
//! [`Dependency`], and a handler asks for it with [`Depends`]. The differences are on purpose: here the
//! dependencies of a request have been exited when the response leaves, so a failed commit becomes a `500`
//! instead of a success that never was.

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
/// Start-up is over before the first request is answered, and a failing start-up is an error of this
/// function. At the end requests that are running may end in peace, for as long as the settings say; then
/// all that was opened is closed, last in first out, and what cancelled requests left to do is done.
///
/// # Errors
///
/// Start-up or shutdown failed, or requests had to be cut off.
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
            // Outside, because the scope lets a panic through when it has rolled back.
            .layer(CatchPanicLayer::new())
            .with_state(app.clone());
        async_with!(_server = server(listener, router, grace)?, {
            shutdown.await
        });
    });
    Ok(())
}
