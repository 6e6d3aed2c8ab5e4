use guard_core::async_context;

struct Connection;

#[async_context]
impl Connection {
    async fn open() {}
}

fn main() {}
