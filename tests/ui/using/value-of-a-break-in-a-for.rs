//! The edit that rustc proposes is one of the user's code.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

#[async_context]
async fn length(name: &'static str) -> io::Result<usize> {
    let mut length = name.len();
    yield_resource!(length);
    Ok(())
}

async fn first_that_is_long() -> io::Result<()> {
    for name in ["a", "bb"] {
        async_with!(length = length(name)?, {
            if *length > 1 {
                break name;
            }
        });
    }
    Ok(())
}

fn main() {}
