//! The function stays, with its default meaning: its uses cause no further errors.
use guard_core::{async_context, async_with, yield_resource};

#[async_context(scope)]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn length() -> usize {
    async_with!(name = name(), { name.len() })
}

fn main() {}
