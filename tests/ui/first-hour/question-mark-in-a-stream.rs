use async_stream::try_stream;
use futures::Stream;
use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

fn stream() -> impl Stream<Item = io::Result<u32>> {
    try_stream! {
        async_with!(numbers = numbers()?, {
            yield numbers[0];
        });
    }
}

fn main() {}
