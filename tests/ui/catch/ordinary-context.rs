use guard_core::{AsyncContext, async_context, yield_resource};

#[async_context]
async fn buffer() -> Result<String, std::io::Error> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn used() -> Result<Option<usize>, std::io::Error> {
    buffer()
        .catch(async |text| Err::<usize, std::io::Error>(std::io::Error::other(text.as_str())))
        .await
}

fn main() {
    let _ = used;
}
