use guard_core::{async_context, yield_resource};

// Not guard_core's: what it makes of its block could be leaked.
macro_rules! async_with {
    ($name:ident = $context:expr, $block:block) => {{
        let $name = $context;
        async { $block }.await
    }};
}

#[async_context]
async fn counter() -> u32 {
    let mut count = 0;
    async_with!(_one = 1, { yield_resource!(count); });
}

fn main() {}
