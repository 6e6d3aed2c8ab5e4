use guard_core::{detached, settled, try_settled};

async fn waits() -> std::io::Result<u32> {
    settled(async || Ok(1)).await
}

async fn waits_and_tells() -> u32 {
    let settled = try_settled(|| async { 1 }).await;
    settled.unwrap_or(0)
}

async fn apart() -> u32 {
    detached(|| 1).await
}

fn main() {}
