use guard_core::async_with;

async fn length() -> usize {
    async_with!(, { 1 })
}

fn main() {}
