use guard_core::{async_context, yield_resource};
use std::borrow::Cow;

#[async_context(owned)]
async fn maybe(name: Option<&str>) {
    let _ = name;
    yield_resource!();
}

#[async_context(owned)]
async fn list(names: &[&str]) {
    let _ = names;
    yield_resource!();
}

#[async_context(owned)]
async fn cow(name: Cow<'_, str>) {
    let _ = name;
    yield_resource!();
}

fn main() {}
