use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    name.psuh('a');
    yield_resource!(name);
    undefined();
}

fn main() {}
