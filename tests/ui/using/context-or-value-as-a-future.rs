//! What waits for a future is of another crate, so the message is too. `docs/using.md` says what to write.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn timeout<F: Future>(future: F) -> F::Output {
    future.await
}

async fn value() -> io::Result<()> {
    timeout(async_with!(numbers = numbers()?, { numbers.push(2) }));
    Ok(())
}

async fn context() {
    timeout(numbers());
}

fn main() {}
