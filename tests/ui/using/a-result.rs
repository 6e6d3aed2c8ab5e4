//! A `Result` in the place of a context: of a context, and of a plain value.

use guard_core::{AsyncContext, async_with, nullcontext};
use std::io;

fn numbers() -> io::Result<impl AsyncContext<Resource = Vec<u32>, Error = io::Error>> {
    Ok(nullcontext(vec![1]).with_error())
}

async fn read() -> io::Result<u8> {
    Ok(1)
}

async fn push() -> io::Result<()> {
    async_with!(numbers = numbers()??, { numbers.push(2) });
    async_with!(numbers = numbers()?, { numbers.push(2) });
    Ok(())
}

async fn add() -> io::Result<()> {
    async_with!(number = read().await?, { *number += 1 });
    Ok(())
}

fn main() {}
