//! An `Option` is lent as it is, and other functions in the body may use `?`.
use guard_core::{async_context, yield_resource};

#[async_context]
async fn first(names: Vec<String>) -> Option<char> {
    let initial = || names.first()?.chars().next();
    let mut initial = initial();
    yield_resource!(initial);
}

fn main() {
    drop(first(vec![]));
}
