use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn number() -> io::Result<u32> {
    let mut number = 1;
    yield_resource!(number)?;
    Ok(())
}

fn main() {}
