//! `catch(…)` and `attempt(…)` take one context.

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

async fn caught() -> io::Result<()> {
    async_with!(catch(number = ignored()?, bytes = session()?), {
        bytes.push(*number as u8);
    });
    Ok(())
}

async fn joined() -> usize {
    let result: io::Result<usize> = async_with!(attempt(join(a = session()?, b = session()?)), { a.len() + b.len() });
    result.unwrap_or(0)
}

fn main() {}
