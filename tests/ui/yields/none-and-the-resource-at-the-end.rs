//! The resource stands at the end, as if the function returned it.

use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn asked() -> io::Result<String> {
    let text = tokio::fs::read_to_string("a").await?;
    Ok(text)
}

#[async_context]
async fn plain() -> String {
    let text = String::new();
    text
}

#[async_context]
async fn lends() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

fn main() {}
