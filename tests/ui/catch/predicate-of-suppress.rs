use guard_core::{AsyncContext, suppress};
use std::io;

async fn by_value() -> io::Result<()> {
    suppress(|error: io::Error| error.kind() == io::ErrorKind::NotFound)
        .catch(async |()| std::fs::read_to_string("none"))
        .await?;
    Ok(())
}

async fn kind() -> io::Result<()> {
    suppress(io::ErrorKind::NotFound).catch(async |()| std::fs::read_to_string("none")).await?;
    Ok(())
}

async fn asynchronous() -> io::Result<()> {
    let missing = suppress(async |error: &io::Error| error.kind() == io::ErrorKind::NotFound);
    missing.catch(async |()| std::fs::read_to_string("none")).await?;
    Ok(())
}

fn main() {}
