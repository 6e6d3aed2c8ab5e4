//! The attribute stands twice.

use guard_core::{async_context, yield_resource};

#[async_context]
#[async_context]
async fn number() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

fn main() {}
