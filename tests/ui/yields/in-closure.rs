use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let lend = |mut count: u32| yield_resource!(count);
    lend(1);
}

fn main() {}
