//! A context lends a local, and declares no return type.

use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() {
    let mut name = String::new();
    yield_resource!(name);
}

fn main() {}
