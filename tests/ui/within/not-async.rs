use guard_core::{nullcontext, within};

#[within(n = nullcontext(1))]
fn number() -> u32 {
    1
}

fn main() {
    let _ = number();
}
