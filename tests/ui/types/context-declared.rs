//! The attribute makes the context, so the declared type is what it lends.

use guard_core::{AsyncContext, BoxContext, async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn boxed() -> BoxContext<'static, Vec<(&'static str, u32)>, io::Error> {
    let mut numbers = vec![("one", 1)];
    yield_resource!(numbers);
    Ok(())
}

#[async_context]
async fn opaque() -> impl AsyncContext<Resource = u32, Error = io::Error> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn asked() -> impl AsyncContext<Resource = String, Error = io::Error> {
    let mut text = tokio::fs::read_to_string("a").await?;
    yield_resource!(text);
    tokio::fs::write("a", text).await
}

async fn sum() -> io::Result<u32> {
    Ok(async_with!(one = boxed()?, two = opaque()?, { one[0].1 + *two }))
}

fn main() {}
