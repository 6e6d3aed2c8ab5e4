//! What a context owns cannot borrow: the guard of a lock borrows the lock.

use guard_core::{async_context, yield_resource};
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

#[async_context]
async fn locked(rows: Arc<Mutex<Vec<u32>>>) -> io::Result<MutexGuard<'_, Vec<u32>>> {
    let mut guard = rows.lock().await;
    yield_resource!(guard);
    Ok(())
}

#[derive(Clone)]
struct Table {
    rows: Arc<Mutex<Vec<u32>>>,
}

impl Table {
    #[async_context(owned)]
    async fn rows(&self) -> MutexGuard<'_, Vec<u32>> {
        let mut guard = self.rows.lock().await;
        yield_resource!(guard);
    }
}

fn main() {}
