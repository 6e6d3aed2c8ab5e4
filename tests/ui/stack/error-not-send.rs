use guard_core::{AsyncExitStack, async_context, async_with, exit_stack, yield_resource};
use std::error::Error;
use std::io;

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn lent() -> Result<(), Box<dyn Error>> {
    async_with!(stack = exit_stack::<Box<dyn Error>>()?, {
        let text = stack.enter(file()).await?;
        stack.defer(async || Ok(()));
        text.push('a');
    });
    Ok(())
}

struct Client {
    stack: AsyncExitStack<Box<dyn Error>>,
}

impl Client {
    async fn open() -> Result<Self, Box<dyn Error>> {
        let stack = AsyncExitStack::new();
        stack.enter(file()).await?;
        Ok(Self { stack })
    }

    async fn close(self) -> Result<(), Box<dyn Error>> {
        self.stack.aclose().await
    }
}

fn main() {}
