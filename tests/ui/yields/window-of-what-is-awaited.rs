//! `cancellable!` awaits the future itself.

use guard_core::{async_context, cancellable, yield_resource};
use std::future::{Future, ready};

async fn number() -> u32 {
    1
}

async fn later() -> impl Future<Output = u32> {
    ready(2)
}

#[async_context]
async fn counter() -> u32 {
    let two = cancellable!(later().await);
    let mut count = cancellable!(number().await);
    yield_resource!(count);
    drop(two);
}

fn main() {}
