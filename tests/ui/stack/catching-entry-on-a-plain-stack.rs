use guard_core::{AsyncExitStack, suppress};

async fn fill(stack: &AsyncExitStack<std::io::Error>) -> Result<(), std::io::Error> {
    stack.enter(suppress(|_: &std::io::Error| true)).await?;
    stack
        .enter_catch(suppress(|_: &std::io::Error| true))
        .await?;
    Ok(())
}

fn main() {
    let _ = fill;
}
