use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> Result<String, std::io::Error> {
    let mut name = 7;
    yield_resource!(name);
    Ok(())
}

fn main() {}
