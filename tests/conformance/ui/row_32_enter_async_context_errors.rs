//! Row 32. Only a context can be entered on a stack. Python: `TypeError` when it is entered.

use guard_core::AsyncExitStack;
use std::io;

fn lacks_both(stack: &AsyncExitStack<io::Error>) {
    drop(stack.enter(String::from("not a context")));
}

fn main() {}
