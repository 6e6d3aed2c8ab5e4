//! An HTTP server and an HTTP client, in one program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use guard_core::async_with;
use guard_examples::http::{Api, api, server};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::transcript::Transcript;

/// The state of the service.
#[derive(Default)]
struct Service {
    logged_in: AtomicUsize,
    slow_request_began: Notify,
}

fn router(service: Arc<Service>) -> Router {
    let login = async |State(service): State<Arc<Service>>| {
        service.logged_in.fetch_add(1, Ordering::SeqCst);
        "a-token"
    };
    let logout = async |State(service): State<Arc<Service>>| {
        service.logged_in.fetch_sub(1, Ordering::SeqCst);
    };
    let slow = async |State(service): State<Arc<Service>>| {
        service.slow_request_began.notify_one();
        tokio::time::sleep(Duration::from_millis(50)).await;
        "worth the wait"
    };
    Router::new()
        .route("/session", post(login).delete(logout))
        .route("/hello", get("hello"))
        .route("/slow", get(slow))
        .with_state(service)
}

pub(crate) async fn run(transcript: &mut Transcript) -> anyhow::Result<()> {
    transcript.section("HTTP: a client that logs out, a server that shuts down gracefully");

    let service = Arc::new(Service::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (late_answer, address) = async_with!(
        server = server(listener, router(service.clone()), Duration::from_secs(5))?,
        {
            let url = server.url("");
            transcript.note(format!("serving on {url}"));

            let greeting = greet(url.clone()).await?;
            let left = service.logged_in.load(Ordering::SeqCst);
            transcript.check(
                greeting == "hello" && left == 0,
                "the client logged in, was greeted, and logged out",
            );

            let failed = fail(url.clone()).await;
            let left = service.logged_in.load(Ordering::SeqCst);
            transcript.check(
                failed.is_err() && left == 0,
                "a client that fails logs out too",
            );

            // The server begins to stop while this request is running.
            let client = reqwest::Client::new();
            let late = tokio::spawn(client.get(server.url("/slow")).send());
            service.slow_request_began.notified().await;
            (late, server.address())
        }
    );
    let text = late_answer.await??.text().await?;
    transcript.check(
        text == "worth the wait",
        "a request that was running when the server stopped was answered",
    );
    let refused = tokio::net::TcpStream::connect(address).await.is_err();
    transcript.check(refused, "and then nobody listens any more");
    Ok(())
}

async fn greet(url: String) -> reqwest::Result<String> {
    let greeting = async_with!(api = api(url)?, { page(api, "/hello").await? });
    Ok(greeting)
}

async fn fail(url: String) -> reqwest::Result<String> {
    let missing = async_with!(api = api(url)?, { page(api, "/no-such-page").await? });
    Ok(missing)
}

async fn page(api: &Api, path: &str) -> reqwest::Result<String> {
    api.get(path).send().await?.error_for_status()?.text().await
}
