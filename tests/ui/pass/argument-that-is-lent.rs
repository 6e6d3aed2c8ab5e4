//! An argument that is a reference is lent by its name, as what another context lends is.
#![deny(warnings)]

use guard_core::{Outcome, async_context, yield_resource};

#[async_context(scoped)]
pub async fn savepoint(rows: &mut Vec<u32>) -> Vec<u32> {
    let before = rows.len();
    let outcome = yield_resource!(rows);
    if outcome != Outcome::Completed {
        rows.truncate(before);
    }
}

#[async_context(scoped)]
pub async fn same<'a>(rows: &'a mut Vec<u32>) -> &'a mut Vec<u32> {
    yield_resource!(rows);
}

#[async_context(scoped)]
pub async fn mutable(mut rows: &mut Vec<u32>) -> Vec<u32> {
    yield_resource!(rows);
}

#[async_context(scoped)]
pub async fn place(rows: &mut Vec<u32>) -> Vec<u32> {
    yield_resource!(*rows);
}

fn main() {}
