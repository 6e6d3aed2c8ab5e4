//! The place may have another type than the resource: the reference to it is coerced.
use guard_core::{async_context, yield_resource};
use std::fmt::Debug;
use tokio::sync::Mutex;

#[async_context]
async fn slice() -> [u8] {
    let mut bytes = [1, 2];
    yield_resource!(bytes);
}

#[async_context]
async fn boxed() -> (dyn Debug + Send) {
    let mut number = Box::new(1);
    yield_resource!(number);
}

#[async_context]
async fn locked() -> () {
    let lock = Mutex::new(());
    let mut held = lock.lock().await;
    yield_resource!(held);
}

#[async_context]
async fn nothing() -> Result<(), String> {
    let mut nothing = ();
    yield_resource!(nothing);
    Ok(nothing)
}

fn main() {
    drop((slice(), boxed(), locked(), nothing()));
}
