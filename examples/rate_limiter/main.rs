//! A rate limiter whose pace adapts to a server: slower when requests fail or time out, and faster when they succeed.
//!
//! The context is in `limiter.rs`, beside this file.
//!
//! ```sh
//! cargo run -p guard-examples --example rate_limiter
//! ```

use std::future::pending;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use guard_core::{async_with, settled};
use guard_examples::rate_limiter::RateLimiter;
use tokio::time::{Instant, sleep, timeout};

/// A server that answers each request in its way.
async fn server(request: &str) -> anyhow::Result<&'static str> {
    sleep(Duration::from_millis(10)).await;
    match request {
        "busy" => Err(anyhow!("503 Service Unavailable")),
        "hang" => pending().await,
        _ => Ok("200 OK"),
    }
}

async fn request(limiter: &RateLimiter, begin: Instant, request: &str) -> anyhow::Result<()> {
    async_with!(() = limiter.turn(), {
        let sent = begin.elapsed().as_millis();
        println!("at {sent:>4} ms: {request}");
        server(request).await?;
    });
    Ok(())
}

// Tokio's clock is paused: it advances when everybody waits.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> anyhow::Result<()> {
    let limiter = RateLimiter::new(2, Duration::from_millis(100), Duration::from_secs(1));
    let begin = Instant::now();
    for name in ["a", "b", "busy", "hang", "c", "d", "e", "f"] {
        let limited = timeout(Duration::from_millis(500), request(&limiter, begin, name));
        match settled(limited).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => println!(
                "             {error}, so one every {:?}",
                limiter.interval()
            ),
            Err(_) => println!(
                "             no answer, so one every {:?}",
                limiter.interval()
            ),
        }
    }
    ensure!(limiter.interval() == Duration::from_millis(100));
    println!("as fast as at first");
    Ok(())
}
