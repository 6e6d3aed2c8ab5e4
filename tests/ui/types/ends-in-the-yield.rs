use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn fallible() -> io::Result<()> {
    yield_resource!()
}

#[async_context]
async fn plain() {
    yield_resource!()
}

#[async_context]
async fn in_ok() -> io::Result<()> {
    Ok(yield_resource!())
}

fn main() {}
