use guard_core::{async_context, yield_resource};

#[async_context]
async fn lend<T>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

#[async_context(local)]
async fn lend_locally<T>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

#[async_context(owned)]
async fn keep<T: ?Sized>(value: &T) {
    yield_resource!();
}

#[async_context]
async fn only_named<T>() -> usize {
    let mut size = size_of::<T>();
    yield_resource!(size);
}

fn main() {}
