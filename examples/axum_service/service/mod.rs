//! What the handlers use: the application's state, which its lifespan opens and closes, and the dependencies of each
//! request.
//!
//! FastAPI's *lifespan* is the context [`lifespan`], and [`guard_axum::serve`](guard_axum::serve()) runs the service inside it.
//! FastAPI's *dependencies with yield* are [`Session`] and [`Changes`]. One difference is on purpose: the
//! dependencies of a request exit before the response is sent, so a failed commit is a `500` and not a success.

mod cache;
mod error;
mod lifespan;
mod session;

pub use cache::Cache;
pub use error::{Error, Result};
pub use lifespan::{App, Sessions, Settings, lifespan};
pub use session::{Changes, Session};

use axum::Router;
use guard_axum::RequestScopeLayer;
use tower_http::catch_panic::CatchPanicLayer;

/// The routes of the application, with what is around all of them.
pub fn application(routes: Router<App>) -> Router<App> {
    routes
        .layer(RequestScopeLayer::new())
        // The outer layer, because the scope rolls back and then lets a panic unwind.
        .layer(CatchPanicLayer::new())
}
