use guard_core::async_context;

#[async_context]
static NAME: &str = "";

fn main() {}
