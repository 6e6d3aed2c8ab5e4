use guard_core::{nullcontext, within};

#[within(n = nullcontext(1), nullcontext(2)?)]
async fn second() -> u32 {
    *n
}

#[within(join(nullcontext(1)))]
async fn joined() -> u32 {
    1
}

fn main() {
    let _ = (second(), joined());
}
