//! A context that can fail ends with `Ok(())`.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn cleaned() -> io::Result<String> {
    let mut text = tokio::fs::read_to_string("a").await?;
    yield_resource!(text);
    tokio::fs::write("a", text).await?;
}

#[async_context]
async fn only_lent() -> io::Result<String> {
    let mut text = tokio::fs::read_to_string("a").await?;
    yield_resource!(text);
}

#[async_context]
async fn lent_on() -> io::Result<String> {
    async_with!(text = cleaned()?, {
        yield_resource!(text);
    });
}

#[async_context]
async fn lent_on_as_the_value() -> io::Result<String> {
    async_with!(text = cleaned()?, {
        yield_resource!(text);
    })
}

#[async_context]
async fn printed() -> io::Result<String> {
    let mut text = tokio::fs::read_to_string("a").await?;
    yield_resource!(text);
    println!("{text}");
}

#[async_context]
async fn written_if_changed() -> io::Result<String> {
    let mut text = tokio::fs::read_to_string("a").await?;
    let outcome = yield_resource!(text);
    if outcome.is_completed() {
        tokio::fs::write("a", text).await?;
    } else {
        println!("unchanged");
    }
}

#[async_context]
async fn written_to_each() -> io::Result<String> {
    let mut text = tokio::fs::read_to_string("a").await?;
    yield_resource!(text);
    for name in ["a", "b"] {
        tokio::fs::write(name, &text).await?;
    }
}

fn main() {}
