use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let mut count = 0;
    loop {
        yield_resource!(count);
        count += 1;
        if count == 3 {
            return;
        }
    }
}

fn main() {}
