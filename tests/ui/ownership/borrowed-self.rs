use guard_core::{async_context, yield_resource};

struct Pool;

impl Pool {
    #[async_context]
    async fn session(&self) -> Result<u32, std::io::Error> {
        let mut session = 1;
        yield_resource!(session);
        Ok(())
    }
}

fn main() {}
