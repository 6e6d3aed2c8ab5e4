use guard_core::cancellable;

async fn wait() {
    cancellable!(std::future::ready(()));
}

fn main() {}
