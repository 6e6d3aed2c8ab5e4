use guard_core::{async_context, yield_resource as lend};

#[async_context]
async fn number() -> u32 {
    let mut number = 1;
    lend!(number);
}

fn main() {}
