//! Row 12. A context cannot yield twice, one after the other or in a loop. Python: `RuntimeError("generator
//! didn't stop")` when it is exited.

use guard_core::{async_context, yield_resource};

#[async_context]
async fn twice() -> u32 {
    let mut number = 1;
    yield_resource!(number);
    yield_resource!(number);
}

#[async_context]
async fn again_and_again() -> u32 {
    let mut number = 1;
    loop {
        yield_resource!(number);
    }
}

fn main() {}
