use guard_core::{async_with, nullcontext};

async fn sum() -> u32 {
    async_with!(join(nullcontext(1), nullcontext(2)), { 3 })
}

fn main() {
    let _ = sum();
}
