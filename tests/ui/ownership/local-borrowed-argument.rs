use guard_core::{async_context, yield_resource};

#[async_context(local)]
async fn greeting(name: &str) -> String {
    let mut greeting = format!("hello {name}");
    yield_resource!(greeting);
}

fn main() {}
