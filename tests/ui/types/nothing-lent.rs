use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> String {
    yield_resource!();
}

fn main() {}
