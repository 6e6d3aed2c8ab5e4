use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;
use std::time::Duration;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn push() -> io::Result<()> {
    let mut guard = numbers().enter().await?;
    guard.push(2);
    guard.exit_timeout(Duration::from_secs(1)).await
}

fn main() {}
