use guard_core::{async_context, yield_resource};

#[async_context(timeout = 5, scoped)]
async fn name() -> Result<String, std::io::Error> {
    let mut name = String::new();
    yield_resource!(name);
    Ok(())
}

fn main() {}
