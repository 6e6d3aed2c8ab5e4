use guard_core::{async_context, yield_resource};

type Name<'a> = Option<&'a str>;

#[async_context(local)]
async fn greeting(name: Name) -> String {
    let mut greeting = format!("hello {name:?}");
    yield_resource!(greeting);
}

#[async_context(local)]
async fn lend<T: Clone>(value: T) -> T {
    let mut value = value;
    yield_resource!(value);
}

fn main() {}
