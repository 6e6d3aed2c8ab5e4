use guard_core::{async_context, async_with, yield_resource};
use std::rc::Rc;

#[async_context(scoped)]
async fn shared() -> u32 {
    let shared = Rc::new(1);
    let mut count = 0;
    yield_resource!(count);
    drop(shared);
}

fn spawn() {
    tokio::spawn(async {
        async_with!(count = shared(), { *count += 1 });
    });
}

fn main() {}
