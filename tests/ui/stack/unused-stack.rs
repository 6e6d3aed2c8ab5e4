#![deny(unused_must_use)]
use guard_core::{AsyncExitStack, exit_stack};

async fn nothing() {
    AsyncExitStack::<()>::new();
    exit_stack::<()>();
}

fn main() {
    let _ = nothing;
}
