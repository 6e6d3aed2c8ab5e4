use guard_core::{async_context, yield_resource};

#[async_context]
async fn name(is_early: bool) -> Result<String, std::io::Error> {
    let mut name = String::new();
    yield_resource!(name);
    if is_early {
        return name;
    }
    Ok(())
}

fn main() {}
