use guard_core::{async_with, nullcontext};

async fn sum() -> u32 {
    async_with!(join(a = nullcontext(1), b = nullcontext(*a + 1)), { *a + *b })
}

fn main() {
    let _ = sum();
}
