use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

struct Pool;

impl Pool {
    async fn with<T>(
        &self,
        body: impl AsyncFnOnce(&mut Vec<u32>) -> io::Result<T>,
    ) -> io::Result<T> {
        numbers().with(body).await
    }
}

fn main() {}
