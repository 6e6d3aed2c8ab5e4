//! An application with a lifespan, and a session for each request. The same as `lifespan.py`.
//!
//! It has no framework, so that it can be read beside the Python. The example `axum_service` is the one to copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use tokio::task::yield_now;

/// Why a handler has no response of its own.
#[derive(Debug)]
enum Failure {
    Status(u16),
    Broken,
}

/// Serves requests while a lifespan lasts, which is any context that lends a pool.
async fn serve<L>(lifespan: L, requests: &[&str]) -> Result<(), L::Error>
where
    L: AsyncContext<Resource = Pool>,
{
    async_with!(pool = lifespan?, {
        println!("serving");
        for path in requests {
            println!("GET {path} -> {}", respond(path, pool).await);
        }
    });
    Ok(())
}

async fn respond(path: &str, pool: &Pool) -> u16 {
    // Dependencies that are known in advance need no stack.
    let handled = async_with!(attempt(db = session(pool.clone())), {
        handle(path, db).await?
    });
    match handled {
        Ok(status) | Err(Failure::Status(status)) => status,
        Err(Failure::Broken) => 500,
    }
}

#[derive(Clone, Default)]
struct Pool {
    sessions: Arc<AtomicUsize>,
}

#[async_context]
async fn connect(url: &'static str) -> Result<Pool, String> {
    if !url.starts_with("db:") {
        return Err(format!("no database at {url}"));
    }
    println!("connected to {url}");
    let mut pool = Pool::default();
    yield_resource!(pool);
    yield_now().await;
    println!("disconnected from {url}");
    Ok(())
}

#[async_context]
async fn lifespan(url: &'static str) -> Result<Pool, String> {
    async_with!(pool = connect(url)?, {
        println!("start-up is complete");
        yield_resource!(*pool);
        let sessions = pool.sessions.load(Ordering::Relaxed);
        println!("shutdown after {sessions} sessions");
    });
    Ok(())
}

#[async_context]
async fn session(pool: Pool) -> usize {
    let mut number = pool.sessions.fetch_add(1, Ordering::Relaxed) + 1;
    let outcome = yield_resource!(number);
    if outcome.is_completed() {
        println!("session {number}: commit");
    } else {
        println!("session {number}: roll back");
    }
}

async fn handle(path: &str, _db: &mut usize) -> Result<u16, Failure> {
    yield_now().await;
    match path {
        "/missing" => Err(Failure::Status(404)),
        "/broken" => Err(Failure::Broken),
        _ => Ok(200),
    }
}

pub async fn main() -> anyhow::Result<()> {
    let requests = ["/", "/missing", "/broken", "/"];
    serve(lifespan("db:main"), &requests)
        .await
        .map_err(anyhow::Error::msg)?;
    if let Err(error) = serve(lifespan("nowhere"), &["/"]).await {
        println!("not started: {error}");
    }
    Ok(())
}
