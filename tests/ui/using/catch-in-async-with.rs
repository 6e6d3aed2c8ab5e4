use guard_core::{async_context, async_with, yield_resource};

#[async_context(catch)]
async fn ignore_errors() -> Result<(), std::io::Error> {
    yield_resource!();
    Ok(())
}

async fn run() -> Result<(), std::io::Error> {
    async_with!(_nothing = ignore_errors()?, {});
    Ok(())
}

fn main() {}
