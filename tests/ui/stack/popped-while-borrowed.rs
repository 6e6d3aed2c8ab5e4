use guard_core::AsyncExitStack;

fn pop(mut stack: AsyncExitStack<()>) -> AsyncExitStack<()> {
    let text = stack.keep(String::new());
    let moved = stack.pop_all();
    text.push('!');
    moved
}

fn main() {
    let _ = pop;
}
