use guard_core::{async_context, yield_resource};
use std::sync::{Arc, Mutex};

#[async_context]
async fn locked(count: Arc<Mutex<u32>>) -> u32 {
    let mut count = count.lock().unwrap();
    yield_resource!(*count);
}

fn main() {}
