//! The borrow checker knows no message of ours. `docs/using.md` says what to write.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn numbers() -> io::Result<Vec<u32>> {
    let mut numbers = vec![1];
    yield_resource!(numbers);
    Ok(())
}

async fn length() -> io::Result<usize> {
    let length;
    async_with!(numbers = numbers()?, {
        length = numbers.len();
    });
    Ok(length)
}

fn main() {}
