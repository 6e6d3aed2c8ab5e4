//! What handles the errors of a call is its first context.

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
    async_with!(bytes = session()?, catch(number = ignored()?), {
        bytes.push(*number as u8);
    });
    Ok(())
}

async fn attempted() -> io::Result<usize> {
    let result: io::Result<usize> = async_with!(a = session()?, attempt(b = session()?), { a.len() + b.len() });
    result
}

async fn two() -> io::Result<()> {
    async_with!(catch(number = ignored()?), catch(other = ignored()?), { *number += *other });
    Ok(())
}

#[within(bytes = session()?, catch(number = ignored()?))]
async fn around() -> io::Result<()> {
    bytes.push(*number as u8);
    Ok(())
}

fn main() {}
