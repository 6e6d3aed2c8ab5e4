use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

fn spawn() {
    tokio::spawn(async {
        let shared = std::rc::Rc::new(1);
        async_with!(name = name(), { name.clear() });
        drop(shared);
    });
}

fn main() {}
