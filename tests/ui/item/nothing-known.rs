use guard_core::async_context;

#[async_context]
type Name = String;

fn main() {}
