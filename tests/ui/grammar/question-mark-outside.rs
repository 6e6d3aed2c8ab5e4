//! The `?` of a context stands after that, inside of the parentheses.

use guard_core::{async_context, async_with, within, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

#[async_context(catch)]
async fn ignored() -> io::Result<u32> {
    let mut number = 1;
    let _ = yield_resource!(number);
    Ok(())
}

async fn caught() -> io::Result<()> {
    async_with!(catch(number = ignored())?, { *number += 1 });
    Ok(())
}

async fn length() -> io::Result<usize> {
    let result: io::Result<usize> = async_with!(attempt(bytes = session())?, { bytes.len() });
    result
}

async fn joined() -> io::Result<()> {
    async_with!(join(a = session(), b = session())?, { a.extend_from_slice(b) });
    Ok(())
}

#[within(catch(number = ignored())?)]
async fn around() -> io::Result<()> {
    *number += 1;
    Ok(())
}

fn main() {}
