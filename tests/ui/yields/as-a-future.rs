//! Nothing can be raced with the block: the second argument of the yield is for that.

use guard_core::{async_context, yield_resource};
use std::{future::pending, time::Duration};
use tokio::time::timeout;

#[async_context]
async fn selected() -> String {
    let mut text = String::new();
    tokio::select! {
        _ = yield_resource!(text) => {}
        () = pending() => {}
    }
}

#[async_context]
async fn joined() -> String {
    let mut text = String::new();
    tokio::join!(pending::<()>(), yield_resource!(text));
}

#[async_context]
async fn limited() -> String {
    let mut text = String::new();
    let _ = timeout(Duration::from_secs(1), yield_resource!(text)).await;
}

fn main() {}
