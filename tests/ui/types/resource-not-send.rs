use guard_core::{async_context, yield_resource};
use std::rc::Rc;

#[async_context]
async fn shared() -> Rc<u32> {
    let mut shared = Rc::new(1);
    yield_resource!(shared);
}

fn main() {}
