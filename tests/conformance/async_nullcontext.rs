//! `TestAsyncNullcontext`: a context that does nothing.

use guard_core::{AsyncContext, async_with, nullcontext};
use guard_tests::block_on;

use crate::raised::{Raised, raised};

/// Row 58. The value is lent, and nothing else happens. The context is as large as the value.
#[test]
fn test_async_nullcontext() {
    struct C(u64);

    let used: Result<u64, Raised> = block_on(async {
        let value = async_with!(x = nullcontext(C(42)), {
            x.0 += 1;
            x.0
        });
        async_with!(() = nullcontext(()), {});
        nullcontext(C(0))
            .with_error()
            .with(async |_| Err(raised("body")))
            .await
            .or(Ok(value))
    });
    assert_eq!(used, Ok(43));
    // One byte says whether it is entered.
    assert_eq!(size_of_val(&nullcontext(42_u8)), 2);
}
