use guard_core::{async_with, suppress};

async fn used() -> Result<(), std::io::Error> {
    async_with!(_nothing = suppress(|_: &std::io::Error| true)?, {});
    Ok(())
}

fn main() {
    let _ = used;
}
