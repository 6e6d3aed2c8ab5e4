use guard_core::{async_context, yield_resource};

#[async_context]
fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

fn main() {}
