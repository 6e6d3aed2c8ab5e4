use guard_core::ScopedExitStack;

fn main() {
    let stack = ScopedExitStack::<()>::new();
    let text = String::new();
    stack.callback(|| println!("{text}"));
}
