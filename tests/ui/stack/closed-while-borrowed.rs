use guard_core::{AsyncExitStack, Outcome, async_context, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn close(mut stack: AsyncExitStack<std::io::Error>) -> Result<(), std::io::Error> {
    let text = stack.enter(buffer()).await?;
    let _ = stack.close(Outcome::Completed).await;
    text.push('!');
    Ok(())
}

fn main() {
    let _ = close;
}
