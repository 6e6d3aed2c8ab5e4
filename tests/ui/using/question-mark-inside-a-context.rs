//! The `?` of a context is the last thing: it does not stand before a method, as after a `Result`.

use guard_core::{AsyncContext, async_context, async_with, within, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

async fn length() -> Result<usize, String> {
    Ok(async_with!(bytes = session()?.map_err(|error| error.to_string()), { bytes.len() }))
}

#[within(bytes = session()?.map_err(|error| error.to_string()))]
async fn around() -> Result<usize, String> {
    Ok(bytes.len())
}

fn main() {}
