//! An HTTP client and an HTTP server as contexts.
//!
//! ```sh
//! cargo run -p guard-examples --example http
//! ```
//!
//! The contexts themselves are in `src/http`.

mod service;

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use guard_core::{AsyncContext, TryWithError, async_with, drain};
use guard_examples::http::{api, server};
use service::Service;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    sessions_end().await?;
    running_requests_may_end().await?;
    slow_requests_are_aborted().await
}

/// The client logs out, however its use ends.
async fn sessions_end() -> anyhow::Result<()> {
    let service = Arc::new(Service::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let grace = Duration::from_secs(10);
    async_with!(server = server(listener, service.router(), grace)?, {
        let greeting = async_with!(api = api(server.url(""))?, {
            let answer = api.get("/hello").send().await?.error_for_status()?;
            ensure!(service.logged_in() == 1);
            answer.text().await?
        });
        ensure!(service.logged_in() == 0);
        println!("greeted with {greeting:?}, and logged out");

        let missing = api(server.url(""))
            .with(async |api| api.get("/no-such-page").send().await?.error_for_status())
            .await;
        ensure!(missing.is_err() && service.logged_in() == 0);
        println!("met an error, and logged out");

        let waiting = tokio::spawn(
            api(server.url(""))
                .with(async |api| -> reqwest::Result<_> { api.get("/for-ever").send().await }),
        );
        service.begun.notified().await;
        waiting.abort();
        ensure!(waiting.await.is_err_and(|error| error.is_cancelled()));
        // The task is gone, so the client logs out in the background.
        drain().await;
        ensure!(service.logged_in() == 0);
        println!("was cancelled, and logged out");
    });
    Ok(())
}

/// A server that stops lets running requests end.
async fn running_requests_may_end() -> anyhow::Result<()> {
    let service = Arc::new(Service::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let grace = Duration::from_secs(10);
    let answer = async_with!(server = server(listener, service.router(), grace)?, {
        let answer = tokio::spawn(reqwest::get(server.url("/slow")));
        service.begun.notified().await;
        answer
    });
    let text = answer.await??.text().await?;
    println!("the server stopped after it had answered {text:?}");
    Ok(())
}

/// A request that takes too long is aborted, and the error of the server's exit says so.
async fn slow_requests_are_aborted() -> anyhow::Result<()> {
    let service = Arc::new(Service::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let grace = Duration::from_millis(100);
    let served = server(listener, service.router(), grace)
        .try_with(async |server| {
            let answer = tokio::spawn(reqwest::get(server.url("/for-ever")));
            service.begun.notified().await;
            anyhow::Ok(answer)
        })
        .await;
    // `try_with` returns both: the error of the exit, and the value of the block.
    let Err(TryWithError::Exit { value, error }) = served else {
        anyhow::bail!("the request was not cut off");
    };
    ensure!(value.await?.is_err());
    println!("the server stopped, but {error}");
    Ok(())
}
