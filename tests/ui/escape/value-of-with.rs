use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() -> usize {
    let name = name().run(async |name| name).await;
    name.len()
}

fn main() {}
