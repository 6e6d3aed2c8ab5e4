use guard_core::{async_context, AsyncContext, yield_resource};

#[async_context(scoped)]
async fn lend(text: &str) -> usize {
    let mut length = text.len();
    yield_resource!(length);
}

fn escape() -> impl AsyncContext<Resource = usize> {
    let text = String::new();
    lend(&text)
}

fn main() {}
