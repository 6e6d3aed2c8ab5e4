//! A context of contexts has `async_with!` in its body.

use guard_core::{async_context, within, yield_resource};

#[async_context]
async fn lock() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[within(_lock = lock())]
#[async_context]
async fn above() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[async_context]
#[within(_lock = lock())]
async fn below() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

fn main() {}
