use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

// As if the block were a function.
async fn length() -> io::Result<usize> {
    let length: usize = async_with!(numbers = numbers()?, { Ok(numbers.len()) });
    Ok(length)
}

fn main() {}
