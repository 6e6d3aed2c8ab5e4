use guard_core::AsyncExitStack;

async fn number() -> u32 {
    1
}

async fn fill(stack: &AsyncExitStack<std::io::Error>) -> Result<(), std::io::Error> {
    stack.enter(number()).await?;
    Ok(())
}

fn main() {
    let _ = fill;
}
