use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn words() -> Vec<&'static str> {
    let mut words = Vec::new();
    yield_resource!(words);
}

async fn escape() {
    let text = String::from("short-lived");
    words().run(async |words| words.push(&text)).await;
}

fn main() {}
