//! Row 38. A synchronous callback has to be there, has no arguments, and is not asynchronous. Python:
//! `TypeError` for the first two; an `async def` is called and never awaited.

use guard_core::AsyncExitStack;
use std::io;

fn no_callback(stack: &AsyncExitStack<io::Error>) {
    stack.callback();
}

fn with_arguments(stack: &AsyncExitStack<io::Error>) {
    stack.callback(|number: u32| println!("{number}"));
}

fn asynchronous(stack: &AsyncExitStack<io::Error>) {
    stack.callback(async || drop("never awaited"));
}

fn main() {}
