use guard_core::{async_with, blocking, from_fns};
use std::io;

async fn async_in_blocking() -> io::Result<()> {
    async_with!(number = blocking(async || Ok(1), |_, _| Ok(()))?, {
        *number += 1;
    });
    Ok(())
}

async fn blocking_in_async() -> io::Result<()> {
    async_with!(number = from_fns(|| Ok(1), async |_, _| Ok(()))?, {
        *number += 1;
    });
    Ok(())
}

fn main() {}
