use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn lock() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

async fn turn() -> io::Result<u32> {
    lock().with_error().with(async |turns| Ok::<_, io::Error>(*turns)).await
}

fn main() {}
