use guard_core::{async_context, yield_resource};
use std::io;

trait Storage: Send + Sync {
    fn name(&self) -> String;
}

#[async_context(owned)]
async fn session(storage: &dyn Storage, id: &u32) -> io::Result<String> {
    let mut session = format!("{} {id}", storage.name());
    yield_resource!(session);
    println!("{}", storage.name());
    Ok(())
}

#[async_context(owned)]
async fn generic<T: Send + Sync + 'static>(value: &T) {
    let _ = value;
    yield_resource!();
}

fn main() {}
