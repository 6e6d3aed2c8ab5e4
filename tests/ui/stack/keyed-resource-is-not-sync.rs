use guard_core::{AsyncExitStack, EntryKey};
use std::cell::Cell;
use std::io;

fn shared(stack: &AsyncExitStack<io::Error>, key: &EntryKey<Cell<u32>>) -> u32 {
    stack[key].get()
}

fn main() {}
