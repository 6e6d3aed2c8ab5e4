use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

async fn escape() -> Result<usize, std::convert::Infallible> {
    let mut guard = name().enter().await?;
    let resource = &mut *guard;
    guard.exit().await?;
    Ok(resource.len())
}

fn main() {}
