use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn both(path: std::path::PathBuf) -> io::Result<String> {
    let mut first = std::fs::read_to_string(&path)?;
    let outcome = yield_resource!(first);
    if outcome.is_completed() {
        std::fs::write(&path, &first)?;
    }
    let mut second = first.clone();
    let _ = yield_resource!(second);
    Ok(())
}

fn main() {}
