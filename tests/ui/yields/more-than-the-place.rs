use guard_core::{async_context, yield_resource};

#[async_context]
async fn mutable() -> String {
    let mut text = String::new();
    yield_resource!(mut text);
}

#[async_context]
async fn moved() -> String {
    let mut text = String::new();
    yield_resource!(move text);
}

#[async_context]
async fn statement() -> String {
    let mut text = String::new();
    yield_resource!(text;);
}

fn main() {}
