//! With `owned` the body has `&self`, and no field of that can be lent as `&mut`.

use guard_core::{async_context, yield_resource};
use std::io;

#[derive(Clone)]
struct Pool {
    names: Vec<String>,
    limits: (u32, u32),
}

impl Pool {
    #[async_context(owned)]
    async fn names(&self) -> io::Result<Vec<String>> {
        yield_resource!(self.names);
        Ok(())
    }

    #[async_context(owned)]
    async fn limit(&self, name: &str) -> u32 {
        let outcome = yield_resource!(self.limits.0, async { std::future::pending().await });
        println!("{name}: {outcome:?}");
    }
}

fn main() {}
