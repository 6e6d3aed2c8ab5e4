use guard_core::{async_with, nullcontext};

async fn sum() -> u32 {
    async_with!(join(a = nullcontext(1), b = 2) => { *a + *b })
}

fn main() {
    let _ = sum();
}
