//! A destructor cannot wait.

use guard_core::{BoxContext, Guard};
use std::io;

struct Session {
    guard: Option<Guard<BoxContext<'static, String, io::Error>>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.exit().await;
        }
    }
}

fn main() {}
