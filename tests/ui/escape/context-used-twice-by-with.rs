use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() {
    let context = name();
    context.run(async |name| name.clear()).await;
    context.run(async |name| name.clear()).await;
}

fn main() {}
