use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() {
    let mut outer = None;
    name().run(async |name| outer = Some(name)).await;
    drop(outer);
}

fn main() {}
