use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn test() {
    async_with!(numbers = numbers().unwrap(), { assert_eq!(numbers.len(), 1) });
}

fn main() {}
