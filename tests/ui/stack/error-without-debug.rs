use guard_core::{AsyncContext, async_context, async_with, exit_stack, scoped_exit_stack, yield_resource};
use std::io;

struct Failed;

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self
    }
}

#[async_context]
async fn file() -> io::Result<String> {
    let mut text = String::new();
    yield_resource!(text);
    Ok(())
}

async fn lent() -> Result<(), Failed> {
    exit_stack::<Failed>()
        .with(async |stack| {
            stack.enter(file()).await?;
            Ok(())
        })
        .await
}

async fn scoped() -> Result<(), Failed> {
    async_with!(stack = scoped_exit_stack::<Failed>()?, {
        let text = stack.enter(file()).await?;
        text.push('a');
        stack.callback(|| ());
    });
    Ok(())
}

fn main() {}
