//! A future that has a name goes on beside the block, and what is lent is still coerced.

use guard_core::{async_context, yield_resource};
use std::{future::pending, io, pin::pin};

#[async_context]
async fn bytes() -> io::Result<[u8]> {
    let mut bytes = [1; 3];
    let renewing = Box::pin(async { Ok(()) });
    yield_resource!(bytes, renewing);
    Ok(())
}

#[async_context]
async fn number() -> u8 {
    let mut number = 1;
    let waiting = pin!(pending());
    yield_resource!(number, waiting);
}

#[async_context]
async fn nothing() {
    let waiting = pending();
    yield_resource!((), waiting);
}

#[async_context]
async fn temporary() -> String {
    let waiting = pending();
    yield_resource!(String::from("lent"), waiting);
}

fn main() {
    drop((bytes(), number(), nothing(), temporary()));
}
