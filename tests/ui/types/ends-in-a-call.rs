//! Only rustc knows whether a call returns, so what it says is that of a body without a value.

use guard_core::{async_context, yield_resource};
use std::io;

async fn close(name: String) {
    drop(name);
}

#[async_context]
async fn session() -> io::Result<String> {
    let mut name = String::new();
    yield_resource!(name);
    close(name).await;
}

fn main() {}
