use guard_core::{async_context, async_with, exit_stack, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn fill() {
    async_with!(stack = exit_stack(), {
        let _ = stack.enter(buffer()).await;
    });
}

fn main() {
    let _ = fill();
}
