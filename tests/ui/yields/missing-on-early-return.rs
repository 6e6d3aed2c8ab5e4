use guard_core::{async_context, yield_resource};

#[async_context]
async fn connection(is_local: bool) -> Result<String, std::io::Error> {
    if is_local {
        return Ok(());
    }
    let mut address = String::from("example.org");
    yield_resource!(address);
    Ok(())
}

fn main() {}
