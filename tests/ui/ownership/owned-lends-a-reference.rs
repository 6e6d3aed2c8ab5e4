use guard_core::{async_context, yield_resource};
use std::io;
use std::path::Path;

#[async_context(owned)]
async fn trimmed(name: &str) -> io::Result<&str> {
    let mut trimmed = name.trim();
    yield_resource!(trimmed);
    Ok(())
}

#[async_context(owned)]
async fn first(names: &[String], path: &Path) -> &[String] {
    let mut first = &names[..1];
    yield_resource!(first);
    let _ = path;
}

#[async_context]
async fn home() -> &Path {
    let mut home = Path::new("/home");
    yield_resource!(home);
}

fn main() {}
