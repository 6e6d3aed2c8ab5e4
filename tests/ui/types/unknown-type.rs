use guard_core::{async_context, yield_resource};

#[async_context]
async fn connection() -> Result<Conection, std::io::Error> {
    let mut connection = ();
    yield_resource!(connection);
    Ok(())
}

fn main() {}
