use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let mut count = 0;
    r#the_one_yield.lend(&mut count).await;
    yield_resource!(count);
}

fn main() {}
