//! Only a `boxed` context is a method of a trait object. `docs/using.md` says so.

use guard_core::async_context;
use std::io;
use std::sync::Arc;

trait Storage: Send + Sync {
    #[async_context(owned)]
    async fn session(&self) -> io::Result<String>;
}

struct App {
    storage: Arc<dyn Storage>,
}

fn main() {}
