//! One error each, at the argument.

use guard_core::{AsyncExitStack, ScopedExitStack};
use std::io;

async fn number() -> u32 {
    1
}

async fn owned(stack: &AsyncExitStack<io::Error>) -> io::Result<u32> {
    Ok(*stack.enter(number()).await?)
}

async fn keyed(stack: &AsyncExitStack<io::Error>) -> io::Result<()> {
    let key = stack.enter_keyed(number()).await?;
    drop(key);
    Ok(())
}

async fn scoped(stack: &ScopedExitStack<'_, io::Error>) -> io::Result<u32> {
    Ok(*stack.enter(number()).await?)
}

fn main() {}
