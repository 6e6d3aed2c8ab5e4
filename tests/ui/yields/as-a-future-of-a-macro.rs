//! The block cannot be raced with by a macro: the second argument of the yield is for that.

use guard_core::{async_context, yield_resource};
use std::future::pending;

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

fn main() {}
