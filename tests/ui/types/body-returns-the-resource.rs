use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> Result<String, std::io::Error> {
    let mut name = String::new();
    yield_resource!(name);
    let result = Ok(name);
    result
}

fn main() {}
