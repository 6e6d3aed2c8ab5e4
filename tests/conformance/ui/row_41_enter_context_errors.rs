//! Row 41. Something synchronous is not a context, even if it cleans up when it is dropped: that is what
//! `keep` is for. And a value without destructor needs a release: `adopt`. Python: `TypeError`.

use guard_core::AsyncExitStack;
use std::io;

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {}
}

fn destructor(stack: &AsyncExitStack<io::Error>) {
    drop(stack.enter(Guard));
}

fn no_release(stack: &AsyncExitStack<io::Error>) {
    stack.adopt(7);
}

fn main() {}
