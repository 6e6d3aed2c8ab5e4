use guard_core::{async_context, yield_resource};

async fn connect() -> Result<u32, String> {
    Ok(1)
}

#[async_context]
async fn number() -> Result<u32, String> {
    let mut number = connect().await?;
    if number == 3 {
        return connect().await.map(drop);
    }
    yield_resource!(number);
    Ok(())
}

fn main() {}
