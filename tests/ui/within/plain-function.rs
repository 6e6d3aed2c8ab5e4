use guard_core::{nullcontext, within};

#[within(_x = nullcontext(1))]
fn both() -> impl Future<Output = u8> {
    let first = async { 1 };
    let second = async { 2 };
    async move { first.await + second.await }
}

fn main() {}
