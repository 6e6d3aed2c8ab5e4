use std::future::pending;

use guard_core::{async_context, yield_resource};

#[async_context]
async fn no_future() -> Result<u32, String> {
    let mut count = 0;
    yield_resource!(count, 5);
    Ok(())
}

#[async_context]
async fn no_result() -> Result<u32, String> {
    let mut count = 0;
    yield_resource!(count, async { let _: () = pending().await; });
    Ok(())
}

#[async_context]
async fn another_error() -> Result<u32, String> {
    let mut count = 0;
    yield_resource!(count, pending::<Result<(), u8>>());
    Ok(())
}

#[async_context]
async fn cannot_fail() -> u32 {
    let mut count = 0;
    yield_resource!(count, pending::<Result<(), u8>>());
}

#[async_context]
async fn borrows_what_is_lent() -> Result<u32, String> {
    let mut count = 0;
    yield_resource!(count, async {
        pending::<()>().await;
        Err(count.to_string())
    });
    Ok(())
}

fn main() {}
