use guard_core::{async_context, cancellable, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let wait = async || cancellable!(std::future::ready(0));
    let mut count = wait().await;
    yield_resource!(count);
}

fn main() {}
