//! The declared type is what the context owns. The `&mut` is made by `yield_resource!`.

use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn owned() -> io::Result<&mut Vec<u8>> {
    let mut bytes = Vec::new();
    yield_resource!(bytes);
    Ok(())
}

struct Log {
    lines: Vec<String>,
}

impl Log {
    #[async_context(scoped)]
    async fn lines(&mut self) -> io::Result<&mut Vec<String>> {
        self.lines.push("begin".into());
        yield_resource!(self.lines);
        Ok(())
    }
}

fn main() {}
