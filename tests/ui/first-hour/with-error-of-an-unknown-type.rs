use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn lock() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

async fn read() -> io::Result<u32> {
    Ok(1)
}

async fn turn() -> io::Result<u32> {
    let turn = lock().with_error().with(async |turns| Ok(*turns + read().await?)).await?;
    Ok(turn)
}

fn main() {}
