//! What a lock protects is lent from the call that takes the lock, as from a local that holds its guard.
#![deny(warnings)]

use std::sync::Arc;

use guard_core::{async_context, yield_resource};
use tokio::sync::{Mutex, OwnedMutexGuard, RwLock};

#[async_context]
pub async fn locked(rows: Arc<Mutex<Vec<u32>>>) -> Vec<u32> {
    yield_resource!(rows.lock().await);
    rows.lock().await.clear();
}

#[async_context]
pub async fn written(rows: Arc<RwLock<Vec<u32>>>) -> Vec<u32> {
    let outcome = yield_resource!(rows.write().await);
    assert!(outcome.is_completed());
}

#[async_context]
pub async fn guard(rows: Arc<Mutex<Vec<u32>>>) -> OwnedMutexGuard<Vec<u32>> {
    yield_resource!(rows.lock_owned().await);
}

#[async_context]
pub async fn local(rows: Arc<Mutex<Vec<u32>>>) -> Vec<u32> {
    let mut rows = rows.lock().await;
    yield_resource!(rows);
}

fn main() {}
