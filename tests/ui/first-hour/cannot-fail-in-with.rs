use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn lock() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

async fn write(_: u32) -> io::Result<()> {
    Ok(())
}

async fn turn() -> io::Result<()> {
    lock().with(async |turns| write(*turns).await).await
}

fn main() {}
