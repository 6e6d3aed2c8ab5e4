use guard_core::{async_with, exit_stack};
use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn lock() -> u32 {
    let mut turns = 1;
    yield_resource!(turns);
}

async fn turn() -> io::Result<u32> {
    Ok(async_with!(stack = exit_stack::<io::Error>()?, {
        let turns = stack.enter(lock()).await?;
        *turns
    }))
}

fn main() {}
