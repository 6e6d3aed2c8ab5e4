use guard_core::{async_with, suppress};
use std::io;

async fn read() -> Option<String> {
    async_with!(catch(_suppressed = suppress(|_: &io::Error| true)), {
        std::fs::read_to_string("a")?
    })
}

fn main() {}
