//! The two names in rustc's messages are free to use.
use guard_core::{async_context, yield_resource};

#[async_context]
async fn names(the_one_yield: u32) -> u32 {
    let mut a_yield_or_err_on_every_path = the_one_yield;
    yield_resource!(a_yield_or_err_on_every_path);
    let _ = a_yield_or_err_on_every_path + the_one_yield;
}

fn main() {
    drop(names(1));
}
