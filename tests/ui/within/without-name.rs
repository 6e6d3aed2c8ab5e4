use guard_core::{nullcontext, within};

#[within(nullcontext(1))]
async fn number() -> u32 {
    1
}

fn main() {
    let _ = number();
}
