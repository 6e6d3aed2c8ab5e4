use guard_core::{AsyncExitStack, async_context, yield_resource};
use std::io;

#[async_context]
async fn number() -> io::Result<u32> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

async fn text(stack: &AsyncExitStack<io::Error>) -> io::Result<usize> {
    let key = stack.enter_keyed(number()).await?;
    let text: &String = &stack[&key];
    Ok(text.len())
}

fn main() {}
