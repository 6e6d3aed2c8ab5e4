use std::future::pending;

use guard_core::{async_context, yield_resource};

#[async_context]
async fn nothing() -> Result<(), String> {
    yield_resource!(, pending::<Result<(), String>>());
    Ok(())
}

#[async_context]
async fn three() -> Result<u32, String> {
    let mut count = 0;
    yield_resource!(count, pending::<Result<(), String>>(), pending::<Result<(), String>>());
    Ok(())
}

fn main() {}
