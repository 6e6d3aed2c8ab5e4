#![deny(unused_must_use)]

use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn forget() {
    name();
}

fn main() {}
