use guard_core::{AsyncExitStack, async_context, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn release(mut stack: AsyncExitStack<std::io::Error>) -> Result<(), std::io::Error> {
    let text = stack.enter(buffer()).await?;
    if let Some(key) = stack.last_key() {
        stack.release(key).await?;
    }
    text.push('!');
    Ok(())
}

fn main() {
    let _ = release;
}
