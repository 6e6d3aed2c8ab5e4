use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context(catch)]
async fn ignore_errors() -> Result<(), std::io::Error> {
    yield_resource!();
    Ok(())
}

async fn run() -> Result<(), std::io::Error> {
    ignore_errors().with(async |_nothing| Ok(())).await
}

fn main() {}
