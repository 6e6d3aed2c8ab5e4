use guard_core::{async_context, yield_resource};

struct Pool;

impl Pool {
    #[async_context(owned)]
    async fn session(&mut self) -> u32 {
        let mut session = 1;
        yield_resource!(session);
    }
}

#[async_context(owned)]
async fn pushing(list: &mut Vec<u32>) {
    list.push(1);
    yield_resource!();
}

fn main() {}
