use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> Option<String> {
    let mut name = None;
    yield_resource!(name);
}

async fn length() -> usize {
    async_with!(Some(name) = name(), { name.len() })
}

fn main() {}
