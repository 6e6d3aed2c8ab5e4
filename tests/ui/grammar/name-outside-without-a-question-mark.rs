//! `attempt(…)` and `catch(…)` stand around the name, also where the `?` is missing or outside.

use guard_core::{async_context, async_with, yield_resource};
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

async fn length() -> usize {
    let result: io::Result<usize> = async_with!(bytes = attempt(session()), { bytes.len() });
    result.unwrap_or(0)
}

async fn with_its_type() -> usize {
    let result = async_with!(bytes = attempt::<io::Error>(session())?, { bytes.len() });
    result.unwrap_or(0)
}

async fn caught() -> io::Result<()> {
    async_with!(number = catch(ignored()), { *number += 1 });
    Ok(())
}

fn main() {}
