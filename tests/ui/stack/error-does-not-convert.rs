use guard_core::{AsyncExitStack, async_context, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

fn fill(stack: &AsyncExitStack<std::num::ParseIntError>) {
    let _ = stack.enter(buffer());
}

fn main() {
    let _ = fill;
}
