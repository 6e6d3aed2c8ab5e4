use guard_core::{nullcontext, within};

#[within(crate = elsewhere, n = nullcontext(1))]
async fn number() -> u32 {
    *n
}

fn main() {
    let _ = number();
}
