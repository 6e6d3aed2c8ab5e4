use guard_core::{async_with, nullcontext};

async fn one() -> u32 {
    1
}

async fn sum() -> u32 {
    async_with!(join(a = one(), b = nullcontext(1), c = 3), { *a + *b + *c })
}

fn main() {
    let _ = sum();
}
