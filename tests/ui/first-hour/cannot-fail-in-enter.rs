use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn lock() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

async fn turn() -> io::Result<()> {
    let guard = lock().enter().await?;
    guard.exit().await?;
    Ok(())
}

fn main() {}
