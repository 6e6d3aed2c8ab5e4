use guard_core::{AsyncExitStack, async_context, yield_resource};

#[async_context(scoped)]
async fn borrowing(text: &str) -> Result<usize, std::io::Error> {
    let mut length = text.len();
    yield_resource!(length);
    Ok(())
}

async fn fill(text: &str) -> Result<(), std::io::Error> {
    let stack = AsyncExitStack::<std::io::Error>::new();
    stack.enter(borrowing(text)).await?;
    Ok(())
}

fn main() {
    let _ = fill("text");
}
