//! The names of what one context lends, without the parentheses of a tuple.

use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn pair() -> (String, u32) {
    let mut pair = (String::new(), 1);
    yield_resource!(pair);
}

async fn sum() -> usize {
    async_with!(name, number = pair(), { name.len() + *number as usize })
}

fn main() {}
