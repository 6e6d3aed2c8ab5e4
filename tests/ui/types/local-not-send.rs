use guard_core::{async_context, yield_resource};
use std::rc::Rc;

#[async_context]
async fn shared() -> u32 {
    let shared = Rc::new(1);
    let mut count = 0;
    yield_resource!(count);
    drop(shared);
}

fn main() {}
