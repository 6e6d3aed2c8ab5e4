use guard_core::async_with;

async fn length() -> usize {
    async_with!(name = String::new(), { name.len() })
}

fn main() {}
