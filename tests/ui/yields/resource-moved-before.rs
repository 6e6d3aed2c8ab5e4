use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    drop(name);
    yield_resource!(name);
}

fn main() {}
