use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn length() -> usize {
    async_with!(join!(first = name(), second = name()), { first.len() + second.len() })
}

fn main() {}
