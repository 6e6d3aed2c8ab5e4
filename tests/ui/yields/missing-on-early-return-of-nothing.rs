use guard_core::{async_context, yield_resource};

#[async_context]
async fn number(text: String) -> u32 {
    let Ok(mut number) = text.parse() else {
        return;
    };
    yield_resource!(number);
}

fn main() {}
