use guard_core::{AsyncContext, suppress};

async fn used() -> Result<Option<u8>, std::io::Error> {
    let missing = suppress(|error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound);
    missing.catch(async |()| "1".parse::<u8>()).await
}

fn main() {
    let _ = used;
}
