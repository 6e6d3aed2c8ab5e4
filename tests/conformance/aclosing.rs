//! `AclosingTestCase`: values with an asynchronous close.

use std::pin::Pin;

use futures::stream::{self, Stream, StreamExt};
use guard_core::{AsyncClose, AsyncContext, async_with, closing};
use guard_tests::{Dropped, Log, block_on, yield_once};

use crate::raised::{Payload, Raised, panic_with, payload_of, raised};

struct Resource {
    log: Log,
    number: u32,
}

impl AsyncClose for Resource {
    type Error = Raised;

    async fn close(self) -> Result<(), Raised> {
        yield_once().await;
        self.log.push(format_args!("close({})", self.number));
        Ok(())
    }
}

/// Row 26. The value itself is lent. It is closed once, at the end.
#[test]
fn test_aclosing() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(
            x = closing(Resource {
                log: log.clone(),
                number: 1
            })?,
            {
                assert_eq!(log.line(), "");
                x.number += 1;
            }
        );
        Ok(())
    });
    assert_eq!((used, log.line()), (Ok(()), "close(2)".into()));
}

/// Row 27. The value is closed once when the body fails, and the use returns the body's error.
#[test]
fn test_aclosing_error() {
    let log = Log::new();
    let resource = Resource {
        log: log.clone(),
        number: 1,
    };
    let used = block_on(closing(resource).with(async |_| Err::<(), _>(raised("ZeroDivision"))));
    assert_eq!(used, Err(raised("ZeroDivision")));
    assert_eq!(log.line(), "close(1)");
}

/// Row 27. The value is closed when the body panics.
#[test]
fn test_aclosing_error_that_is_a_panic() {
    let log = Log::new();
    let resource = Resource {
        log: log.clone(),
        number: 1,
    };
    let used = closing(resource).with(async |_| -> Result<(), Raised> { panic_with(27) });
    assert_eq!(payload_of(used), Payload(27));
    assert_eq!(log.line(), "close(1)");
}

/// Python's generator that is suspended inside a `with`.
struct Generator(Log, Pin<Box<dyn Stream<Item = u32> + Send>>);

impl Generator {
    fn new(log: Log) -> Self {
        let held = Dropped(log.clone(), "held");
        let numbers = stream::unfold(held, async |held| {
            held.0.push("next");
            Some((1, held))
        });
        Self(log, Box::pin(numbers))
    }
}

impl AsyncClose for Generator {
    type Error = Raised;

    async fn close(self) -> Result<(), Raised> {
        drop(self.1);
        yield_once().await;
        self.0.push("closed");
        Ok(())
    }
}

/// Row 28. What a suspended stream holds is dropped when the use of the stream ends, whether the body failed
/// or not.
#[test]
fn test_aclosing_bpo41229() {
    for result in [Ok(()), Err(raised("ZeroDivision"))] {
        let log = Log::new();
        let used = block_on(async {
            let used = closing(Generator::new(log.clone()))
                .with(async |generator| {
                    assert_eq!(generator.1.next().await, Some(1));
                    log.push("body");
                    result.clone()
                })
                .await;
            log.push("after");
            used
        });
        assert_eq!(used, result);
        assert_eq!(log.line(), "next body drop(held) closed after");
    }
}
