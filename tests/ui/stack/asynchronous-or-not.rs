//! `defer` is for asynchronous callbacks, `callback` for others.

use guard_core::{AsyncExitStack, ScopedExitStack};
use std::io;

fn owned(stack: &AsyncExitStack<io::Error>) {
    stack.defer(|| println!("closed"));
    stack.callback(async || {
        println!("closed");
        Ok(())
    });
}

fn scoped(stack: &ScopedExitStack<'_, io::Error>) {
    stack.defer(|| println!("closed"));
    stack.callback(async || println!("closed"));
}

fn main() {}
