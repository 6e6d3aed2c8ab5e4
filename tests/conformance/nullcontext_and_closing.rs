//! `NullcontextTestCase` and `ClosingTestCase`, which are about `with`: the same contexts, with bodies that
//! do not await.

use guard_core::{AsyncClose, AsyncContext, closing, nullcontext};
use guard_tests::{Log, block_on};

use crate::raised::{Raised, raised};

/// Row n1. The value is lent without a change.
#[test]
fn test_nullcontext() {
    let text = String::from("c");
    let address = text.as_ptr();
    assert!(block_on(
        nullcontext(text).run(async |x| std::ptr::eq(x.as_ptr(), address))
    ));
}

/// A close that waits for nothing.
struct Closed(Log);

impl AsyncClose for Closed {
    type Error = Raised;

    async fn close(self) -> Result<(), Raised> {
        self.0.push("close");
        Ok(())
    }
}

/// Row n1. The value is closed after the body.
#[test]
fn test_closing() {
    let log = Log::new();
    let used = block_on(closing(Closed(log.clone())).with(async |x| {
        x.0.push("body");
        Ok::<_, Raised>(())
    }));
    assert_eq!((used, log.line()), (Ok(()), "body close".into()));
}

/// Row n1. The value is closed when the body fails, and the use returns the error.
#[test]
fn test_closing_error() {
    let log = Log::new();
    let used =
        block_on(closing(Closed(log.clone())).with(async |_| Err::<(), _>(raised("ZeroDivision"))));
    assert_eq!(used, Err(raised("ZeroDivision")));
    assert_eq!(log.line(), "close");
}
