use guard_core::{async_context, yield_resource};

#[async_context]
async fn connection(is_local: bool) -> Result<String, std::io::Error> {
    let mut address = String::from("localhost");
    if is_local {
        yield_resource!(address);
    }
    Ok(())
}

fn main() {}
