use guard_core::AsyncExitStack;
use std::io;

struct App {
    stack: AsyncExitStack<io::Error>,
}

impl App {
    async fn close(mut self) -> io::Result<()> {
        self.stack.close().await?;
        Ok(())
    }
}

fn main() {}
