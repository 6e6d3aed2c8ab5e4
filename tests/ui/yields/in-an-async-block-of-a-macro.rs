use guard_core::{async_context, yield_resource};

// What it makes of the yield could be polled by hand, and leaked with the borrow in it.
macro_rules! in_async {
    ($yield:expr) => {
        async { $yield }
    };
}

#[async_context(scoped)]
async fn leaking() -> u32 {
    let mut resource = 1;
    in_async!(yield_resource!(resource)).await;
}

fn main() {}
