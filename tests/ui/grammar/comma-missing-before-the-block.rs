//! Without the comma, the context and the block are read as the value of a struct.

use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn length() -> usize {
    let context = name;
    async_with!(name = context { name.len() })
}

fn main() {}
