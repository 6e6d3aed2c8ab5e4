use guard_core::{async_context, yield_resource};

#[async_context]
async fn text() -> String {
    let mut text = String::new();
    yield_ressource!(text);
}

fn main() {}
