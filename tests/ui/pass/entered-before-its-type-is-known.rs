//! A context can be entered on a stack before the type of what it lends is known.
use guard_core::{AsyncContext, AsyncExitStack, from_fns, nullcontext};
use std::io;

async fn later(stack: &mut AsyncExitStack<io::Error>) -> io::Result<u64> {
    let key = stack
        .enter_keyed(nullcontext(Vec::new()).with_error::<io::Error>())
        .await?;
    stack[&key].push(7_u8);
    let number = stack
        .enter(nullcontext(Default::default()).with_error::<io::Error>())
        .await?;
    let list = stack
        .enter(from_fns(async || Ok(Vec::new()), async |_, _| {
            Ok::<_, io::Error>(())
        }))
        .await?;
    list.push(1_u8);
    let number: &mut u64 = number;
    Ok(*number)
}

fn main() {
    let mut stack = AsyncExitStack::new();
    drop(later(&mut stack));
}
