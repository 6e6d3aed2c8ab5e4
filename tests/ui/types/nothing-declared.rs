//! The type of a context is what it lends, and not what it ends with.

use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn name() -> io::Result<()> {
    let mut name = String::new();
    yield_resource!(name);
    Ok(())
}

fn main() {}
