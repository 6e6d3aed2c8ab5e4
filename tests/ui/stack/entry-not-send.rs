use guard_core::AsyncExitStack;
use std::rc::Rc;

fn main() {
    let stack = AsyncExitStack::<()>::new();
    let shared = Rc::new(1);
    stack.callback(move || drop(shared));
}
