use guard_core::{async_context, within, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

#[within(text = buffer()?)]
async fn length() -> usize {
    text.len()
}

fn main() {
    let _ = length();
}
