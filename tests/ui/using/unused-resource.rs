#![deny(unused_variables)]

use guard_core::{async_context, async_with, within, yield_resource};

#[async_context]
async fn lock() -> Result<u32, std::io::Error> {
    let mut token = 1;
    yield_resource!(token);
    Ok(())
}

async fn hold() -> Result<(), std::io::Error> {
    async_with!(token = lock()?, {});
    async_with!(join(first = lock()?, second = lock()?), {});
    Ok(())
}

#[within(token = lock()?)]
async fn hold_all_the_time() -> Result<(), std::io::Error> {
    Ok(())
}

fn main() {}
