use guard_core::{async_context, async_with, exit_stack, yield_resource};
use std::io;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn release() -> io::Result<()> {
    async_with!(stack = exit_stack::<io::Error>()?, {
        let text = stack.enter(file()).await?;
        stack.release(text).await?;
    });
    Ok(())
}

fn main() {}
