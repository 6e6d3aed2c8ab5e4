use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter() -> u32 {
    let lent = async {
        let mut count = 0;
        yield_resource!(count);
    };
    lent.await;
}

fn main() {}
