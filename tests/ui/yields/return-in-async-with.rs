use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn inner() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[async_context]
async fn before_the_yield(early: bool) -> Result<u32, String> {
    async_with!(inner = inner(), {
        if early {
            return Ok(());
        }
        yield_resource!(*inner);
    });
    Ok(())
}

#[async_context]
async fn in_a_block_without_one(early: bool) -> Result<u32, String> {
    async_with!(_inner = inner(), {
        if early {
            return Ok(());
        }
    });
    yield_resource!(1);
    Ok(())
}

fn main() {}
