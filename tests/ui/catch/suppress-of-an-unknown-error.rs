use guard_core::{async_with, suppress};
use std::io;

async fn read() -> io::Result<Option<String>> {
    Ok(async_with!(catch(_suppressed = suppress(|_| true)?), {
        std::fs::read_to_string("a")?
    }))
}

fn main() {}
