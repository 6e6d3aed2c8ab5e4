use guard_core::{async_context, yield_resource};

#[async_context]
async fn lend<T: Clone>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

#[async_context]
async fn lend_what_lives_long<T: 'static>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

fn main() {}
