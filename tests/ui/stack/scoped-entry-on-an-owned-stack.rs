//! In the block of a stack rustc does not say where the bound is.

use guard_core::{AsyncExitStack, async_context, async_with, exit_stack, yield_resource};
use std::io;

#[async_context(scoped)]
async fn logged(log: &mut Vec<u32>) -> io::Result<usize> {
    let mut length = log.len();
    yield_resource!(length);
    log.push(1);
    Ok(())
}

async fn owned(stack: AsyncExitStack<io::Error>) -> io::Result<()> {
    let mut log = vec![];
    stack.enter(logged(&mut log)).await?;
    Ok(())
}

async fn keyed(stack: AsyncExitStack<io::Error>) -> io::Result<()> {
    let mut log = vec![];
    stack.enter_keyed(logged(&mut log)).await?;
    Ok(())
}

async fn in_a_block() -> io::Result<()> {
    let mut log = vec![];
    async_with!(stack = exit_stack::<io::Error>()?, {
        stack.enter(logged(&mut log)).await?;
    });
    Ok(())
}

fn main() {}
