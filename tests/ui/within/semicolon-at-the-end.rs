use guard_core::{async_context, within, yield_resource};
use std::io;

#[async_context]
async fn session(id: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![id];
    yield_resource!(ids);
    Ok(())
}

#[within(ids = session(1)?;)]
async fn length() -> io::Result<usize> {
    Ok(ids.len())
}

fn main() {}
