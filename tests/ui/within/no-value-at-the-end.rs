//! A function that returns a `Result` ends with one.

use guard_core::{async_context, within, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

#[within(bytes = session()?)]
async fn saved() -> io::Result<()> {
    tokio::fs::write("a", &**bytes).await?;
}

#[within(bytes = session()?)]
async fn printed() -> io::Result<()> {
    println!("{bytes:?}");
}

#[within(bytes = session()?)]
async fn compared() -> io::Result<usize> {
    if bytes.is_empty() {
        tokio::fs::write("a", "").await?;
    }
}

fn main() {}
