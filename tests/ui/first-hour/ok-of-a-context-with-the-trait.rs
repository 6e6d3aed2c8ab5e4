use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn first() -> Option<u32> {
    async_with!(numbers = numbers().ok()?, { return Some(numbers[0]) })
}

fn main() {}
