use guard_core::{AsyncExitStack, async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn one() -> io::Result<u32> {
    let mut one = 1;
    yield_resource!(one);
    Ok(())
}

async fn sum() -> io::Result<u32> {
    async_with!(stack = AsyncExitStack::<io::Error>::new()?, {
        let one: &mut u32 = stack.enter(one()).await?;
        Ok(*one)
    })
}

async fn without_an_error() {
    async_with!(stack = AsyncExitStack::new(), { stack.len() });
}

fn main() {}
