//! The error of the stack is made of nothing but itself: no type mismatch, but what to write.

use guard_core::{AsyncExitStack, async_context, yield_resource};

#[derive(Debug)]
struct Failed;

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn fill(stack: &AsyncExitStack<Failed>) -> Result<(), Failed> {
    stack.enter(buffer()).await?.clear();
    Ok(())
}

fn main() {
    let _ = fill;
}
