use guard_core::{AsyncExitStack, async_context, yield_resource};
use std::io;

#[async_context]
async fn number() -> io::Result<u32> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

async fn used_after_its_release(mut stack: AsyncExitStack<io::Error>) -> io::Result<()> {
    let key = stack.enter_keyed(number()).await?;
    let number = &stack[&key];
    stack.release(key).await?;
    println!("{number}");
    stack.aclose().await
}

fn main() {}
