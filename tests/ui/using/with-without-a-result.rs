use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn file() -> Result<String, std::io::Error> {
    let mut file = String::new();
    yield_resource!(file);
    Ok(())
}

async fn length() -> Result<usize, std::io::Error> {
    file().with(async |file| file.len()).await
}

fn main() {}
