use guard_core::{async_context, cancellable, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let mut count = 0;
    yield_resource!(count);
    cancellable!(std::future::ready(()));
}

fn main() {}
