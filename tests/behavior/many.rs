//! The greatest number of contexts in one call of `async_with!`.

use guard_core::{async_context, async_with, yield_resource};
use guard_tests::yield_once;

#[async_context]
async fn numbered(number: u32) -> u32 {
    let mut number = number;
    yield_once().await;
    yield_resource!(number);
    yield_once().await;
}

async fn sum() -> u32 {
    async_with!(
        a = numbered(1),
        b = numbered(2),
        c = numbered(3),
        d = numbered(4),
        e = numbered(5),
        f = numbered(6),
        g = numbered(7),
        h = numbered(8),
        i = numbered(9),
        j = numbered(10),
        k = numbered(11),
        l = numbered(12),
        m = numbered(13),
        n = numbered(14),
        o = numbered(15),
        p = numbered(16),
        {
            yield_once().await;
            *a + *b + *c + *d + *e + *f + *g + *h + *i + *j + *k + *l + *m + *n + *o + *p
        }
    )
}

#[tokio::test(flavor = "current_thread")]
async fn sixteen_contexts_of_one_call_can_be_spawned() {
    assert_eq!(tokio::spawn(sum()).await.unwrap(), 136);
}
