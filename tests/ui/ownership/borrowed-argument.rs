use guard_core::{async_context, yield_resource};

#[async_context]
async fn open(path: &str) -> Result<String, std::io::Error> {
    let mut file = String::from(path);
    yield_resource!(file);
    Ok(())
}

fn main() {}
