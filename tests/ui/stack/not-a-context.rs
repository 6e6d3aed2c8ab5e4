use guard_core::AsyncExitStack;

async fn number() -> u32 {
    1
}

fn fill(stack: &AsyncExitStack<std::io::Error>) {
    let _ = stack.enter(number());
}

fn main() {
    let _ = fill;
}
