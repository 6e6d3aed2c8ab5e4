use guard_core::Guard;
use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

struct Client {
    numbers: Guard<Vec<u32>>,
}

fn main() {}
