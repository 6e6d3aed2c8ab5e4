use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session(id: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![id];
    yield_resource!(ids);
    Ok(())
}

async fn ignored() {
    async_with!(attempt(ids = session(1)?), { ids.push("2".parse().map_err(io::Error::other)?) });
}

async fn asked() -> bool {
    let result = async_with!(attempt(ids = session(1)?), { ids.push(2) });
    result.is_ok()
}

async fn matched() -> usize {
    match async_with!(attempt(ids = session(1)?), { ids.len() }) {
        Ok(length) => length,
        Err(error) => error.to_string().len(),
    }
}

fn main() {}
