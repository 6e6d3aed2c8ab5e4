use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn push() -> io::Result<()> {
    let mut guard = numbers().enter().await?;
    guard.push(2);
    guard.close().await
}

fn main() {}
