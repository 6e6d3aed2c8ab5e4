use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() -> Result<usize, std::convert::Infallible> {
    let guard = name().enter().await?;
    guard.exit().await?;
    Ok(guard.len())
}

fn main() {}
