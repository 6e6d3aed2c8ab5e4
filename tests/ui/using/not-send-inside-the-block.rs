use guard_core::{async_context, async_with, yield_resource};

#[async_context]
async fn name() -> String {
    let mut name = String::new();
    yield_resource!(name);
}

fn spawn() {
    tokio::spawn(async {
        async_with!(name = name(), {
            let shared = std::rc::Rc::new(1);
            std::future::ready(()).await;
            name.push_str(&shared.to_string());
        });
    });
}

fn main() {}
