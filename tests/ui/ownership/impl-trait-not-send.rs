use guard_core::{async_context, yield_resource};

#[async_context]
async fn show(value: impl std::fmt::Display) -> String {
    let mut text = value.to_string();
    yield_resource!(text);
}

fn main() {}
