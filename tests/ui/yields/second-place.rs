//! What follows the place is a future. To lend several, lend a tuple.

use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn pair() -> io::Result<(String, u32)> {
    let mut name = String::new();
    let mut number = 1;
    yield_resource!(name, number);
    Ok(())
}

#[async_context]
async fn parts() -> (String, u32) {
    let mut both = (String::new(), 1);
    yield_resource!(both.0, both.1);
}

fn main() {}
