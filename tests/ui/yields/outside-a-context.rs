use guard_core::yield_resource;

async fn counter() -> u32 {
    let mut count = 0;
    yield_resource!(count);
    count
}

fn main() {}
