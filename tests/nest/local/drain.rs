//! `drain`, `settled` and `pending_cleanups` know of local clean-ups.

use std::rc::Rc;
use std::time::Duration;

use guard_core::{
    AsyncContext, async_context, async_with, drain, drain_all, pending_cleanups, settled,
    try_settled, yield_resource,
};
use guard_tests::{Log, yield_once};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::{Place, stays, stays_gated, stays_millis};
use crate::own_process::in_own_process;
use crate::support::{forever, logs, paused, poll_and_drop, sleeps};

#[test]
fn settled_waits_for_local_clean_ups_and_try_settled_returns_their_errors() {
    #[async_context(local)]
    async fn fails(message: &'static str) -> Result<(), String> {
        yield_resource!();
        yield_once().await;
        Err(message.to_owned())
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            let query = stays_millis(log.clone(), "query", 5).run(async |()| forever().await);
            assert!(
                settled(timeout(Duration::from_secs(1), query))
                    .await
                    .is_err()
            );
            assert_eq!(log.line(), "-query");
            let query = fails("the connection is gone");
            let query = query.with(async |()| {
                forever().await;
                Ok::<_, String>(())
            });
            let unsettled = try_settled(timeout(Duration::from_secs(1), query)).await;
            let unsettled = unsettled.unwrap_err();
            assert_eq!(
                unsettled.failures[0].error(),
                Some("the connection is gone")
            );
        }
    });
    assert_eq!(reports.line(), "fails failed: the connection is gone");
}

#[test]
fn a_drain_waits_for_the_local_clean_ups_of_its_runtime() {
    for everywhere in [false, true] {
        let (log, reports) = logs();
        LocalSet::new().block_on(&paused(), async {
            poll_and_drop(stays_millis(log.clone(), "it", 50).run(async |()| forever().await));
            if everywhere {
                drain_all().await;
            } else {
                drain().await;
            }
            log.push("drained");
        });
        assert_eq!(log.line(), "-it drained", "{everywhere}");
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn a_drain_inside_a_local_clean_up_does_not_wait_for_itself() {
    #[async_context(local)]
    async fn drains(log: Log) {
        yield_resource!();
        yield_once().await;
        drain().await;
        log.push("drained");
    }

    let (log, reports) = logs();
    Place::Set.run({
        let log = log.clone();
        async move {
            poll_and_drop(drains(log.clone()).run(async |()| forever().await));
            poll_and_drop(stays(log.clone(), "beside", 5).run(async |()| forever().await));
        }
    });
    assert_eq!(log.line(), "+beside -beside drained");
    assert_eq!(reports.line(), "");
}

#[test]
fn pending_clean_ups_are_listed_with_what_they_wait_for() {
    in_own_process(|| {
        let gate = Rc::new(Notify::new());
        let (log, _) = logs();
        LocalSet::new().block_on(&paused(), async {
            poll_and_drop(async {
                async_with!(
                    _default = sleeps(log.clone(), "default", 0),
                    _outer = stays(log.clone(), "outer", 0),
                    _inner = stays_gated(log.clone(), "inner", gate.clone()),
                    {
                        forever().await;
                    }
                );
            });
            let listed: Vec<_> = pending_cleanups()
                .iter()
                .map(|it| format!("{} <- {}", it.name(), it.waits_for().join(",")))
                .collect();
            assert_eq!(
                listed
                    .iter()
                    .filter(|line| line.contains("local::"))
                    .collect::<Vec<_>>(),
                [
                    "nest::local::stays_gated <- ",
                    "nest::local::stays <- nest::local::stays_gated",
                ],
                "{listed:?}"
            );
            gate.notify_one();
            drain().await;
            assert_eq!(pending_cleanups().len(), 0);
        });
    });
}
