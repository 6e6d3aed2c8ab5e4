use guard_core::{async_context, yield_resource};
use std::rc::Rc;

#[async_context]
async fn shared(count: Rc<u32>) -> u32 {
    let mut count = *count;
    yield_resource!(count);
}

fn main() {}
