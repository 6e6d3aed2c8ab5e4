//! Row 29. A callback is an asynchronous function without arguments, and there has to be one. Python:
//! `TypeError`, or, if a synchronous function is given, an error when the stack is closed.

use guard_core::AsyncExitStack;
use std::io;

fn no_callback(stack: &AsyncExitStack<io::Error>) {
    stack.defer();
}

fn synchronous(stack: &AsyncExitStack<io::Error>) {
    stack.defer(|| println!("never awaited"));
}

fn with_arguments(stack: &AsyncExitStack<io::Error>) {
    stack.defer(async |number: u32| {
        println!("{number}");
        Ok(())
    });
}

fn main() {}
