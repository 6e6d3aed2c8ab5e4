//! Uses that hold 1 KiB in the set-up, in the block and in the clean-up, each across an `.await`.

use std::future::ready;
use std::hint::black_box;

use guard_core::{async_context, async_with, yield_resource};

/// Holds 1 KiB while it waits.
async fn hold() {
    let held = black_box([0_u8; 1024]);
    ready(()).await;
    black_box(held);
}

#[async_context(scoped)]
async fn context() {
    hold().await;
    yield_resource!();
    hold().await;
}

/// One use by hand.
pub async fn by_hand() {
    hold().await;
    hold().await;
    hold().await;
}

/// One use.
pub async fn one() {
    async_with!(_ = context(), { hold().await })
}

/// Three uses, one inside the other.
pub async fn three_nested() {
    async_with!(_ = context(), {
        hold().await;
        async_with!(_ = context(), {
            hold().await;
            async_with!(_ = context(), { hold().await });
        });
    });
}
