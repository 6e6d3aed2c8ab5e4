use guard_core::{nullcontext, within};

trait Numbers {
    #[within(n = nullcontext(1))]
    async fn number(&self) -> u32;
}

fn main() {}
