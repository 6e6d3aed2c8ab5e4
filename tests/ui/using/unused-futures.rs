#![deny(unused_must_use)]

use guard_core::{AsyncContext, AsyncExitStack, BoxContext, Guard, Outcome, drain};

async fn forget(
    context: BoxContext<'static, u32, ()>,
    guard: Guard<BoxContext<'static, u32, ()>>,
    mut stack: AsyncExitStack<()>,
) {
    context.enter();
    guard.exit();
    stack.close(Outcome::Completed);
    drain();
}

fn main() {}
