use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn file() -> Result<String, std::io::Error> {
    let mut file = String::new();
    yield_resource!(file);
    Ok(())
}

async fn number() -> Result<u32, std::io::Error> {
    Ok(async_with!(file = file()?, { file.parse::<u32>()? }))
}

fn main() {}
