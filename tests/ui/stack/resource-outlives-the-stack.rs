use guard_core::AsyncExitStack;

fn main() {
    let text;
    {
        let stack = AsyncExitStack::<()>::new();
        text = stack.keep(String::new());
    }
    text.push('!');
}
