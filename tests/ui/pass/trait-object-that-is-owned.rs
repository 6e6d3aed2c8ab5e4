//! `owned` keeps everything that is `ToOwned`, also a trait object.

use guard_core::{async_context, yield_resource};
use std::borrow::Borrow;
use std::sync::Arc;

trait Shape: Send + Sync {
    fn shared(&self) -> Arc<dyn Shape>;
}

struct Shared(Arc<dyn Shape>);

impl Borrow<dyn Shape> for Shared {
    fn borrow(&self) -> &(dyn Shape + 'static) {
        &*self.0
    }
}

impl ToOwned for dyn Shape {
    type Owned = Shared;

    fn to_owned(&self) -> Shared {
        Shared(self.shared())
    }
}

#[async_context(owned)]
async fn drawn(shape: &(dyn Shape + 'static), names: &[String], text: &str) -> Arc<dyn Shape> {
    let mut shared = shape.shared();
    yield_resource!(shared);
    let _ = (names, text);
}

#[async_context(owned)]
async fn generic<T: Clone + Send + Sync + 'static>(value: &T, of: &(impl Clone + Send + Sync + 'static)) {
    let _ = (value, of);
    yield_resource!();
}

fn main() {
    let _ = |shape: &'static dyn Shape| drop((drawn(shape, &[], ""), generic(&1, &2)));
}
