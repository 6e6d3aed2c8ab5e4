use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn read() -> io::Result<()> {
    Ok(())
}

async fn length() -> io::Result<usize> {
    let length = numbers().with(async |numbers| { read().await?; Ok(numbers.len()) }).await?;
    Ok(length)
}

fn main() {}
