//! A yield lends a variable by its name. rustc may infer the type of the variable from the declared resource, and may dereference
//! the variable to that type.

use guard_core::{async_context, async_with, yield_resource};
use std::io;

type Name = &'static str;

#[async_context]
async fn number(text: String) -> io::Result<u32> {
    let mut number = text.parse().map_err(io::Error::other)?;
    yield_resource!(number);
    Ok(())
}

#[async_context]
async fn collected(numbers: Vec<u32>) -> Vec<u64> {
    let mut collected = numbers.into_iter().map(u64::from).collect();
    yield_resource!(collected);
}

#[async_context]
async fn default() -> Option<Name> {
    let mut default = Default::default();
    yield_resource!(default);
}

#[async_context]
async fn alias() -> Name {
    let mut name = "name";
    yield_resource!(name);
}

#[async_context]
async fn boxed() -> str {
    let mut text: Box<str> = "text".into();
    yield_resource!(text);
}

#[async_context]
async fn array() -> [u8] {
    let mut bytes = [0; 4];
    let mut bytes = &mut bytes[..];
    yield_resource!(bytes);
}

#[async_context]
async fn twice() -> Vec<u64> {
    async_with!(numbers = collected(vec![1]), {
        yield_resource!(numbers);
    });
}

fn main() {
    drop((number(String::new()), collected(Vec::new()), default(), alias(), boxed(), array(), twice()));
}
