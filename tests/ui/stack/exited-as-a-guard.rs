use guard_core::AsyncExitStack;
use std::io;

async fn close(stack: AsyncExitStack<io::Error>) -> io::Result<()> {
    stack.exit().await
}

fn main() {}
