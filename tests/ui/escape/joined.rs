use guard_core::{async_with, nullcontext};

async fn escape() -> usize {
    let both = async_with!(join(a = nullcontext(1), b = nullcontext(2)), { (a, b) });
    *both.0 + *both.1
}

fn main() {}
