use guard_core::async_context;

#[async_context]
struct Connection {
    address: String,
}

fn main() {}
