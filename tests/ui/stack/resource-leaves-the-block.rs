use guard_core::{async_context, async_with, exit_stack, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn leak() -> Result<(), std::io::Error> {
    let text = async_with!(stack = exit_stack::<std::io::Error>()?, {
        stack.enter(buffer()).await?
    });
    text.push('!');
    Ok(())
}

fn main() {
    let _ = leak;
}
