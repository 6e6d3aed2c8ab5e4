use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
fn number() -> impl std::future::Future<Output = io::Result<u32>> {
    async {
        let mut number = 1;
        yield_resource!(number);
        Ok(())
    }
}

#[async_context]
async fn twice() -> impl std::future::Future<Output = io::Result<u32>> {
    let mut number = 1;
    yield_resource!(number);
    Ok(())
}

async fn sum() -> io::Result<u32> {
    Ok(async_with!(a = number()?, b = twice()?, { *a + *b }))
}

fn main() {}
