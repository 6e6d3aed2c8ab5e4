use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session(id: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![id];
    yield_resource!(ids);
    Ok(())
}

async fn both() -> io::Result<usize> {
    Ok(async_with!(a, b = join(session(1)?, session(2)?), { a.len() + b.len() }))
}

fn main() {}
