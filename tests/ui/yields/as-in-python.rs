use guard_core::async_context;
use std::io;

#[async_context]
async fn number() -> io::Result<u32> {
    let mut number = 1;
    yield number;
    Ok(())
}

fn main() {}
