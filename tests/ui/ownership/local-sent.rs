use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context(local)]
async fn number() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

#[tokio::main]
async fn main() {
    tokio::spawn(async {
        let Ok(number) = number().enter().await;
        tokio::task::yield_now().await;
        println!("{}", *number);
    });
}
