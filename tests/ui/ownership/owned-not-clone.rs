use guard_core::{async_context, yield_resource};
use std::rc::Rc;

struct Pool;

impl Pool {
    #[async_context(owned)]
    async fn session(&self) -> u32 {
        let mut session = 1;
        yield_resource!(session);
        let _ = self;
    }
}

#[async_context(owned)]
async fn of(pool: &Pool) {
    yield_resource!();
    let _ = pool;
}

#[async_context(owned)]
async fn counted(count: &Rc<u32>) {
    yield_resource!();
    let _ = count;
}

fn main() {}
