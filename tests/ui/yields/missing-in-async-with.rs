use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn inner() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[async_context]
async fn outer(lends: bool) -> u32 {
    async_with!(inner = inner(), {
        if lends {
            yield_resource!(*inner);
        }
    });
}

fn main() {}
