use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter(start: u32) -> u32 {
    let mut count = start;
    while count < 10 {
        count += 1;
        yield_resource!(count);
        break;
    }
}

fn main() {}
