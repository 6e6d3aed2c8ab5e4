use guard_core::{nullcontext, within};

#[within(n = nullcontext(1))]
async fn number() -> u32 {
    if *n == 1 {
        return "one";
    }
    "two"
}

fn main() {
    let _ = number();
}
