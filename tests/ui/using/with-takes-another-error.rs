use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn file() -> Result<String, std::io::Error> {
    let mut file = String::new();
    yield_resource!(file);
    Ok(())
}

async fn number() -> Result<u32, std::num::ParseIntError> {
    file().with(async |file| file.parse()).await
}

fn main() {}
