use guard_core::{AsyncExitStack, async_context, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn fill(
    stack: &AsyncExitStack<std::num::ParseIntError>,
) -> Result<(), std::num::ParseIntError> {
    stack.enter(buffer()).await?;
    Ok(())
}

fn main() {
    let _ = fill;
}
