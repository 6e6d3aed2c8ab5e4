use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

fn returned() -> impl AsyncContext<Vec<u32>, io::Error> {
    numbers()
}

fn taken(context: impl AsyncContext<Vec<u32>>) {
    let _ = context.with(async |_| Ok::<_, io::Error>(()));
}

fn main() {}
