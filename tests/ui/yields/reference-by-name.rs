//! What rustc proposes where a field of `self` is moved, `&self.name`, cannot be lent.

use guard_core::{async_context, yield_resource};
use std::io;

#[derive(Clone)]
struct User {
    name: String,
}

impl User {
    #[async_context(owned)]
    async fn moved(&self) -> io::Result<String> {
        let mut name = self.name;
        yield_resource!(name);
        Ok(())
    }

    #[async_context(owned)]
    async fn name(&self) -> io::Result<String> {
        let mut name = &self.name;
        yield_resource!(name);
        Ok(())
    }
}

#[async_context(scoped)]
async fn borrowed(numbers: &Vec<u32>) -> Vec<u32> {
    yield_resource!(numbers);
}

#[async_context(owned)]
async fn with_something_beside(numbers: &Vec<u32>) -> Vec<u32> {
    yield_resource!(numbers, async {});
}

fn main() {}
