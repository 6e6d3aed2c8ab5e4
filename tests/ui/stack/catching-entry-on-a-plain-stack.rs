use guard_core::{AsyncExitStack, suppress};

fn fill(stack: &AsyncExitStack<std::io::Error>) {
    let _ = stack.enter_catch(suppress(|_: &std::io::Error| true));
}

fn main() {
    let _ = fill;
}
