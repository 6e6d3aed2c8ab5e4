use guard_core::{BoxContext, Guard};
use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

struct Client {
    numbers: Guard<BoxContext<'static, Vec<u32>, io::Error>>,
}

async fn client() -> io::Result<Client> {
    Ok(Client { numbers: numbers().enter().await? })
}

fn main() {}
