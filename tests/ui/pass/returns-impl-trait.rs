//! What is lent may be an `impl Trait`.
use guard_core::{async_context, yield_resource};

#[async_context]
async fn numbers() -> impl Iterator<Item = u32> {
    let mut numbers = 0..3;
    yield_resource!(numbers);
}

fn main() {
    drop(numbers());
}
