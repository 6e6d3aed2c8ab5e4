use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn lend<T: Send + 'static>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

async fn borrow(text: String) -> usize {
    async_with!(text = lend(text.as_str()), { text.len() })
}

fn main() {}
