use guard_core::{async_context, yield_resource};

#[async_context]
async fn number() -> u32 {
    let mut number = 1;
    if yield_resource!(number).is_ok() {
        println!("all went well");
    }
}

fn main() {}
