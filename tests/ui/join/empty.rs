use guard_core::async_with;

async fn nothing() {
    async_with!(join(), {});
}

fn main() {
    let _ = nothing();
}
