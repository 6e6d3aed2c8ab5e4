//! In a destructor, `exit` does no more than the destructor of the guard.
#![deny(unused_must_use)]

use guard_core::{BoxContext, Guard};
use std::io;

struct Session {
    guard: Option<Guard<BoxContext<'static, String, io::Error>>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            guard.exit();
        }
    }
}

fn main() {}
