//! A type after the name is that of the reference which is lent.

use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn length() -> usize {
    async_with!(name: String = name(), { name.len() })
}

fn main() {}
