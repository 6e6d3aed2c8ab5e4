use guard_core::{async_context, yield_resource};
use std::io;

#[async_context]
async fn matched() -> io::Result<String> {
    let mut name = String::new();
    match yield_resource!(name) {
        Ok(()) => name.push('!'),
        Err(error) => eprintln!("{error}"),
    }
    Ok(())
}

#[async_context]
async fn asked() -> String {
    let mut name = String::new();
    if let Err(error) = yield_resource!(name) {
        eprintln!("{error}");
    }
}

fn main() {}
