#![deny(unused_must_use)]
use guard_core::{async_context, yield_resource};

#[async_context(catch)]
async fn careless() -> Result<(), std::io::Error> {
    yield_resource!();
    Ok(())
}

fn main() {
    let _ = careless;
}
