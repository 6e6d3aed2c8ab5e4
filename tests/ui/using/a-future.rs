use guard_core::async_with;

async fn name() -> String {
    String::new()
}

async fn length() -> usize {
    async_with!(name = name(), { name.len() })
}

fn main() {}
