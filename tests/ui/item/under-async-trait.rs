use guard_core::{async_context, yield_resource};

#[async_trait::async_trait]
trait Pool {
    #[async_context]
    async fn connection(&self) -> u32 {
        let mut connection = 1;
        yield_resource!(connection);
    }
}

fn main() {}
