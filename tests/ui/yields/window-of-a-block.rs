use guard_core::{async_context, cancellable, yield_resource};
use std::io;

#[async_context]
async fn block() -> String {
    let mut text = String::new();
    cancellable!({
        text.push_str("a");
        tokio::task::yield_now().await;
    });
    yield_resource!(text);
}

async fn read() -> io::Result<String> {
    std::fs::read_to_string("a")
}

#[async_context]
async fn asked() -> io::Result<String> {
    let mut text = cancellable!(read().await?);
    yield_resource!(text);
    Ok(())
}

fn main() {}
