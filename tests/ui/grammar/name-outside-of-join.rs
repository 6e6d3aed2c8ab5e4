//! The names of joined contexts stand in the parentheses, whether a `?` does or not.

use guard_core::{async_context, async_with, within, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

async fn as_a_tuple() -> io::Result<()> {
    async_with!((a, b) = join(session()?, session()?), {
        a.extend_from_slice(b);
    });
    Ok(())
}

async fn asked_outside() -> io::Result<()> {
    async_with!((a, b) = join(session(), session())?, { a.extend_from_slice(b) });
    Ok(())
}

async fn under_one_name() -> io::Result<()> {
    async_with!(first = session()?, both = join(session()?, session()?), {
        both.0.extend_from_slice(first);
    });
    Ok(())
}

#[within((a, b) = join(session()?, session()?))]
async fn around() -> io::Result<()> {
    a.extend_from_slice(b);
    Ok(())
}

fn main() {}
