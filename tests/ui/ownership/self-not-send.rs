use guard_core::{async_context, yield_resource};
use std::rc::Rc;

struct Pool {
    _shared: Rc<u32>,
}

impl Pool {
    #[async_context]
    async fn session(self) -> u32 {
        let mut session = 1;
        yield_resource!(session);
    }
}

fn main() {}
