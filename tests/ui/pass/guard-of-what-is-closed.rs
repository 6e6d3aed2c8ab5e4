//! A guard has the methods of its resource, also those under whose names users look for `exit`.

use guard_core::{AsyncContext, Guard, async_context, yield_resource};
use std::convert::Infallible;

struct File;

impl File {
    fn close(&mut self) -> u32 {
        1
    }

    fn release(&self, _: u32) -> u32 {
        2
    }

    fn exit_timeout(&self) -> u32 {
        3
    }
}

#[async_context]
async fn file() -> File {
    let mut file = File;
    yield_resource!(file);
}

trait Extension: Sized {
    fn aclose(self) -> u32 {
        4
    }
}

impl<C: AsyncContext> Extension for Guard<C> {}

fn generic(mut guard: Guard<impl AsyncContext<Resource = File, Error = Infallible>>) -> u32 {
    guard.close() + guard.release(0) + guard.exit_timeout() + guard.aclose()
}

async fn known() {
    let Ok(mut guard) = file().enter().await;
    let _: u32 = guard.close() + guard.release(0) + guard.exit_timeout();
    let Ok(guard) = file().enter().await;
    let _: u32 = generic(guard);
}

fn main() {
    let _ = known();
}
