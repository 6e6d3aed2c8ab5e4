#![deny(unused_must_use)]

use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn forget() -> Result<(), std::convert::Infallible> {
    name().enter().await?;
    name().enter().await?.exit();
    Ok(())
}

fn main() {}
