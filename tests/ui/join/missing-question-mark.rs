use guard_core::{async_context, async_with, nullcontext, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn length() -> usize {
    async_with!(join(text = buffer(), n = nullcontext(1)), { text.len() + *n })
}

fn main() {
    let _ = length();
}
