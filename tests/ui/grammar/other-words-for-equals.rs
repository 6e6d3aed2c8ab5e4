//! The name and its context, as other languages write them.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

async fn length() -> io::Result<()> {
    async_with!(bytes in session()?, { bytes.push(1) });
    Ok(())
}

async fn same() -> io::Result<()> {
    async_with!(bytes: session()?, { bytes.push(1) });
    Ok(())
}

async fn arrow() -> io::Result<()> {
    async_with!(bytes <- session()?, { bytes.push(1) });
    Ok(())
}

async fn compared() -> io::Result<()> {
    async_with!(bytes == session()?, { bytes.push(1) });
    Ok(())
}

async fn defined() -> io::Result<()> {
    async_with!(bytes := session()?, { bytes.push(1) });
    Ok(())
}

fn main() {}
