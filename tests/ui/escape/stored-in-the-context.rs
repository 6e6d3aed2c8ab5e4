// A context must not store a reference to what it lends: its destructors would find it half-dropped.

use std::cell::Cell;

use guard_core::{async_context, async_with, yield_resource};

struct Node<'a> {
    name: String,
    other: Cell<Option<&'a Node<'a>>>,
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if let Some(other) = self.other.get() {
            println!("{} knows {}", self.name, other.name);
        }
    }
}

#[async_context(scoped)]
async fn lends<T>(mut value: T) -> T {
    yield_resource!(value);
}

async fn know_each_other(names: [String; 2]) {
    let nodes = names.map(|name| Node {
        name,
        other: Cell::new(None),
    });
    async_with!(nodes = lends(nodes), {
        let nodes = &*nodes;
        nodes[0].other.set(Some(&nodes[1]));
        nodes[1].other.set(Some(&nodes[0]));
    });
}

fn main() {}
