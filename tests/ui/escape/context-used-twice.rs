use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() {
    let context = name();
    async_with!(name = context, { name.clear() });
    async_with!(name = context, { name.clear() });
}

fn main() {}
