use guard_core::{async_context, yield_resource};

#[async_context]
async fn connection(port: Option<u16>) -> Result<u16, std::io::Error> {
    match port {
        Some(mut port) => {
            yield_resource!(port);
        }
        None => {}
    }
    Ok(())
}

fn main() {}
