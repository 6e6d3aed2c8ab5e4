//! `yield_resource!(&mut place)` lends the place, too.
use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let mut count = 0;
    yield_resource!(&mut count);
}

fn main() {
    drop(counter());
}
