use guard_core::{async_context, yield_resource};

#[async_context]
async fn counter(skip: bool) -> u32 {
    let mut count = 0;
    if skip {
        a_yield_or_err_on_every_path = ();
    } else {
        yield_resource!(count);
    }
}

fn main() {}
