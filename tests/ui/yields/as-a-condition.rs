use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn saved() -> io::Result<String> {
    let mut text = std::fs::read_to_string("a")?;
    if yield_resource!(text) {
        std::fs::write("a", text)?;
    }
    Ok(())
}

#[async_context]
async fn kept() -> io::Result<String> {
    let mut text = std::fs::read_to_string("a")?;
    if !yield_resource!(text) {
        return Ok(());
    }
    std::fs::write("a", text)
}

fn main() {}
