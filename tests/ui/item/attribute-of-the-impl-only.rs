//! A method of a trait that is a context is one in the trait too.

use guard_core::{async_context, yield_resource};
use std::io;

trait Storage {
    async fn session(&self) -> Result<String, io::Error>;
}

#[derive(Clone)]
struct Files;

impl Storage for Files {
    #[async_context(owned)]
    async fn session(&self) -> Result<String, io::Error> {
        let mut name = String::new();
        yield_resource!(name);
        Ok(())
    }
}

fn main() {}
