use guard_core::{async_context, yield_resource};

#[async_context]
async fn pair() -> u32 {
    let mut left = 1;
    let mut right = 2;
    yield_resource!(left, right);
}

fn main() {}
