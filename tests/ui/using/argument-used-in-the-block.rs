//! A scoped context keeps what it borrows until its exit.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context(scoped)]
async fn logged(log: &mut Vec<u32>) -> Result<u32, io::Error> {
    let mut length = 0;
    yield_resource!(length);
    log.push(length);
    Ok(())
}

async fn changed(log: &mut Vec<u32>) -> Result<(), io::Error> {
    async_with!(length = logged(log)?, {
        *length += 1;
        log.clear();
    });
    Ok(())
}

fn main() {}
