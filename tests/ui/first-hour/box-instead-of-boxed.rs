use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

fn make() -> Box<dyn AsyncContext<Resource = Vec<u32>, Error = io::Error> + Send> {
    Box::new(numbers())
}

async fn push() -> io::Result<()> {
    make().with(async |numbers| Ok(numbers.push(1))).await
}

fn main() {}
