use guard_core::{async_context, yield_resource};

#[async_context]
async fn text() -> Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

fn main() {}
