//! Methods by the names that they have in Python.

use guard_core::{AsyncExitStack, ScopedExitStack, async_context, async_with, exit_stack, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<String> {
    let mut session = String::new();
    yield_resource!(session);
    Ok(())
}

async fn entered() -> io::Result<()> {
    async_with!(stack = exit_stack::<io::Error>()?, {
        let session = stack.enter_async_context(session()).await?;
        session.push('a');
    });
    Ok(())
}

async fn pushed() -> io::Result<()> {
    async_with!(stack = exit_stack::<io::Error>()?, {
        stack.push_async_callback(async || Ok(())).await?;
        stack.push_async_exit(async |_| Ok(()));
    });
    Ok(())
}

async fn owned(stack: AsyncExitStack<io::Error>) -> io::Result<()> {
    stack.push(session()).await?;
    stack.aclose().await
}

async fn scoped(stack: &mut ScopedExitStack<'_, io::Error>) -> io::Result<usize> {
    let session = stack.enter_context(session()).await?;
    Ok(session.len())
}

fn main() {}
