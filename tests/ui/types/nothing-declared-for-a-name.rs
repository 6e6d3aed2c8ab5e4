//! What is lent has a name, and the context declares no type.

use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() {
    let mut name = String::new();
    yield_resource!(name);
}

fn main() {}
