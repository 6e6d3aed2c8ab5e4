//! The clean-up of a cancelled local use goes on where the use was. Its exit limit holds there, and its failures are
//! reported.

use std::time::Duration;

use guard_core::{AsyncContext, async_context, async_with, drain, yield_resource};
use guard_tests::yield_once;

use super::{PLACES, Place, stays, stays_forever};
use crate::support::{Failed, forever, logs, poll_and_drop};

#[test]
fn a_cancelled_use_is_cleaned_up_in_its_place() {
    for place in PLACES {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                poll_and_drop(stays(log.clone(), "it", 3).run(async |()| forever().await));
                log.push("next");
            }
        });
        assert_eq!(log.line(), "+it next -it", "{place:?}");
        assert_eq!(reports.line(), "", "{place:?}");
    }
}

#[test]
fn an_exit_limit_holds_in_the_background() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let it = stays_forever(log.clone(), "it").exit_timeout(Duration::from_secs(1));
            let it = it.map_err(|_| Failed);
            poll_and_drop(it.with(async |()| {
                forever().await;
                Ok::<_, Failed>(())
            }));
            drain().await;
            log.push("drained");
        }
    });
    assert_eq!(log.line(), "~it drained");
    assert_eq!(reports.line(), "stays_forever timed out");
}

#[test]
fn a_panic_of_a_clean_up_is_reported_and_the_outer_ones_go_on() {
    #[async_context(local)]
    async fn panics() {
        yield_resource!();
        yield_once().await;
        std::panic::resume_unwind(Box::new("in the exit"));
    }

    for place in PLACES {
        let (log, reports) = logs();
        place.run({
            let log = log.clone();
            async move {
                poll_and_drop(async {
                    async_with!(_outer = stays(log.clone(), "outer", 1), _it = panics(), {
                        forever().await;
                    });
                });
            }
        });
        assert_eq!(log.line(), "+outer -outer", "{place:?}");
        assert_eq!(reports.line(), "panics panicked: in the exit", "{place:?}");
    }
}

#[test]
fn an_error_of_a_clean_up_is_reported() {
    #[async_context(local)]
    async fn fails() -> Result<(), Failed> {
        yield_resource!();
        yield_once().await;
        Err(Failed)
    }

    for place in PLACES {
        let (_, reports) = logs();
        place.run(async {
            poll_and_drop(fails().with(async |()| {
                forever().await;
                Ok::<_, Failed>(())
            }));
        });
        assert_eq!(reports.line(), "fails failed: it failed", "{place:?}");
    }
}

#[test]
fn a_task_that_is_aborted_is_cleaned_up_in_its_set() {
    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let inside = log.clone();
            let task = tokio::task::spawn_local(async move {
                stays(inside, "it", 3).run(async |()| forever().await).await;
            });
            yield_once().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            drain().await;
            assert_eq!(log.line(), "+it -it");
        }
    });
    assert_eq!(reports.line(), "");
}
