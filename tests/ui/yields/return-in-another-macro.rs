use guard_core::{async_context, yield_resource};

#[async_context]
async fn number(early: bool) -> Result<u32, String> {
    let mut number = 1;
    tokio::select! {
        () = std::future::ready(()), if early => return Ok(()),
        else => {}
    }
    yield_resource!(number);
    Ok(())
}

fn main() {}
