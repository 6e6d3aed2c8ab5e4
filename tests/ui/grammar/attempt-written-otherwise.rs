use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session(id: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![id];
    yield_resource!(ids);
    Ok(())
}

async fn without_colons() -> bool {
    let result = async_with!(attempt<io::Error>(ids = session(1)?), { ids.push(2) });
    result.is_ok()
}

async fn as_a_macro() -> io::Result<()> {
    async_with!(attempt!(ids = session(1)?), { ids.push(2) })
}

async fn as_try() -> io::Result<()> {
    async_with!(try(ids = session(1)?), { ids.push(2) })
}

fn main() {}
