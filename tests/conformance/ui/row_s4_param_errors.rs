//! Row s4. Wrong arguments are an error where the function is called. Python: `TypeError` at the call, not
//! when the context is entered.

use guard_core::{async_context, yield_resource};

#[async_context]
async fn whoo(a: u32, b: u32) -> u32 {
    let mut sum = a + b;
    yield_resource!(sum);
}

fn main() {
    drop(whoo());
    drop(whoo(1, 2, 3));
    drop(whoo(1, "2"));
}
