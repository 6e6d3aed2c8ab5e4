//! What rustc proposes first would use one context several times. `docs/using.md` says what to write.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn session(name: String) -> io::Result<String> {
    let mut session = name;
    yield_resource!(session);
    Ok(())
}

async fn greet(name: String) -> io::Result<()> {
    for _ in 0..3 {
        async_with!(session = session(name)?, { session.push('!') });
    }
    Ok(())
}

fn main() {}
