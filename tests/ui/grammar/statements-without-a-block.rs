//! What follows the contexts is a block, also where the call has braces.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

async fn clear() -> io::Result<()> {
    async_with! { bytes = session()?,
        bytes.clear();
    }
    Ok(())
}

fn main() {}
