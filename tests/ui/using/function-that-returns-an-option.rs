//! The error of a context has no place in an `Option`, nor in `()`.

use guard_core::{async_context, async_with, within, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

async fn first() -> Option<u8> {
    async_with!(bytes = session()?, { bytes.first().copied() })
}

async fn nothing() {
    async_with!(bytes = session()?, { bytes.clear() });
}

#[within(bytes = session()?)]
async fn around() {
    bytes.clear();
}

fn main() {}
