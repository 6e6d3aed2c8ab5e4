use guard_core::{async_context, async_with, yield_resource};

#[async_context(local)]
async fn number() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[tokio::main]
async fn main() {
    tokio::spawn(async {
        async_with!(number = number(), {
            tokio::task::yield_now().await;
            *number += 1;
        });
    });
}
