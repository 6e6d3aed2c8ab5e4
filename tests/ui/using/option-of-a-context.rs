use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session(id: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![id];
    yield_resource!(ids);
    Ok(())
}

async fn length(id: Option<u32>) -> io::Result<usize> {
    Ok(async_with!(ids = id.map(session)?, { ids.len() }))
}

fn main() {}
