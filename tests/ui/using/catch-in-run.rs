use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context(catch)]
async fn ignore_errors() -> Result<(), std::io::Error> {
    yield_resource!();
    Ok(())
}

async fn run() {
    let _ = ignore_errors().try_with(async |()| Ok::<_, ()>(())).await;
    ignore_errors().run(async |()| ()).await;
}

fn main() {}
