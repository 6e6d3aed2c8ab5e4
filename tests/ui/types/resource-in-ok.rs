use guard_core::{async_context, yield_resource};

#[async_context]
async fn name() -> Result<String, std::io::Error> {
    let mut name = String::new();
    yield_resource!(name);
    Ok(name)
}

#[async_context]
async fn on_two_paths(is_short: bool) -> Result<String, std::io::Error> {
    let mut name = String::new();
    yield_resource!(name);
    if is_short {
        return Ok(name);
    }
    match name.as_str() {
        "" => Ok(()),
        _ => Ok(name),
    }
}

fn main() {}
