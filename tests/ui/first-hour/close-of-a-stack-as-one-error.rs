use guard_core::{AsyncExitStack, Outcome};
use std::io;

struct App {
    stack: AsyncExitStack<io::Error>,
}

impl App {
    async fn close(mut self) -> io::Result<()> {
        self.stack.close(Outcome::Completed).await?;
        Ok(())
    }
}

fn main() {}
