//! Each context whose error does not convert is told of once, at its `?`.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[derive(Debug)]
struct Refused;

#[derive(Debug)]
struct Busy;

#[async_context]
async fn connect() -> Result<u32, Refused> {
    let mut id = 1;
    yield_resource!(id);
    Ok(())
}

#[async_context]
async fn lock(id: u32) -> Result<u32, Busy> {
    let mut id = id;
    yield_resource!(id);
    Ok(())
}

async fn sum() -> io::Result<u32> {
    Ok(async_with!(connection = connect()?, lock = lock(1)?, { *connection + *lock }))
}

fn main() {}
