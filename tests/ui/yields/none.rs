use guard_core::async_context;

#[async_context]
async fn connection() -> Result<String, std::io::Error> {
    let address = String::from("localhost");
    drop(address);
    Ok(())
}

fn main() {}
