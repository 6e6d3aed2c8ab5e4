use guard_core::{nullcontext, within};

#[within(n = nullcontext(1))]
struct Number(u32);

fn main() {
    let _ = Number(1).0;
}
