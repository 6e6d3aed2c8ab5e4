//! The type of what an `async fn` returns names all that it borrows. `docs/using.md` says what to write.

use guard_core::{AsyncContext, async_context, yield_resource};
use std::io;

#[derive(Clone)]
struct Pool;

impl Pool {
    #[async_context(owned)]
    async fn session(&self, name: &str) -> io::Result<String> {
        let mut session = name.to_owned();
        yield_resource!(session);
        Ok(())
    }
}

fn orders() -> impl AsyncContext<Resource = String, Error = io::Error> {
    let pool = Pool;
    pool.session("orders")
}

fn main() {}
