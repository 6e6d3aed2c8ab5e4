//! Row 18. A context function keeps its documentation: the lint complains about the one that has none, and
//! about no other.
#![deny(missing_docs)]

use guard_core::{async_context, yield_resource};

/// Whoo, documented.
#[async_context]
pub async fn documented() {
    yield_resource!();
}

#[async_context]
/// Whoo, documented below the attribute.
pub async fn documented_below() {
    yield_resource!();
}

#[async_context]
pub async fn undocumented() {
    yield_resource!();
}

fn main() {}
