//! The tests of `ContextManagerTestCase` that have no asynchronous version.

use std::sync::Arc;

use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on};

use crate::raised::{Raised, raised};

#[async_context]
async fn plain() -> Result<(), Raised> {
    yield_resource!();
    Ok(())
}

#[async_context(catch)]
async fn passes_on() -> Result<(), Raised> {
    match yield_resource!() {
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// Row s2. An error that was made from another one keeps its source on the way through a context, for every
/// source. Nothing is unwrapped.
#[test]
fn test_contextmanager_do_not_unchain_non_stopiteration_exceptions() {
    for cause in ["ZeroDivision", "StopIteration"] {
        let chained = || raised("Chained").from(raised(cause));
        block_on(async {
            let used = plain().with(async |()| Err::<(), _>(chained())).await;
            assert_eq!(used, Err(chained()));
            let used = passes_on().catch(async |()| Err::<(), _>(chained())).await;
            assert_eq!(used, Err(chained()));
        });
    }
}

#[async_context]
async fn keeps_nothing(argument: Arc<Log>, dropped: Arc<Log>) {
    argument.push("enter");
    drop(dropped);
    yield_resource!();
    argument.push("exit");
}

/// Row s3. The function owns its arguments. An argument that it drops before the yield is gone in the body,
/// and none is copied.
#[test]
fn test_nokeepref() {
    let (kept, dropped) = (Arc::new(Log::new()), Arc::new(Log::new()));
    let weak = (Arc::downgrade(&kept), Arc::downgrade(&dropped));
    block_on(async {
        async_with!(() = keeps_nothing(kept, dropped), {
            assert_eq!((weak.0.strong_count(), weak.1.strong_count()), (1, 0));
        });
    });
    assert_eq!(weak.0.strong_count(), 0);
}
