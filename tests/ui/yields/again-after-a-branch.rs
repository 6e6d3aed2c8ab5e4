use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter(early: bool) -> u32 {
    let mut count = 0;
    if early {
        yield_resource!(count);
    }
    yield_resource!(count);
}

fn main() {}
