use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn text() -> io::Result<String> {
    let text = std::fs::read_to_string("a")?;
    yield_resource!(&text);
    Ok(())
}

#[async_context]
async fn number() {
    let number = 1_u32;
    yield_resource!(&number);
}

static NUMBER: u32 = 1;

#[async_context]
async fn static_number() -> &'static u32 {
    yield_resource!(&NUMBER);
}

fn main() {}
