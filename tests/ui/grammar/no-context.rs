use guard_core::async_with;

async fn length() -> usize {
    async_with!(name =, { 1 })
}

fn main() {}
