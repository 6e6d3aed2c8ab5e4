//! How long a use waits for its nest. When the time is over, the use goes on, and a report names the
//! clean-ups that it did not wait for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use guard_core::{
    AsyncContext, TimeoutError, async_context, async_with, drain, set_cleanup_timeout,
    set_wait_limit, yield_resource,
};
use guard_tests::Log;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::own_process::in_own_process;
use crate::support::{
    WAYS, Way, composed, forever, gated, logs, never, paused, poll_and_drop, sleeps, step, using,
};

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);

/// Hands off a clean-up that never ends.
fn hand_off_a_hung_one(log: &Log) {
    poll_and_drop(never(log.clone(), "hung").run(async |()| forever().await));
}

#[test]
fn the_wait_limit_is_thirty_seconds_for_an_exit_and_for_a_clean_up() {
    for way in WAYS.into_iter().filter(|way| *way != Way::Join) {
        for dropped in [false, true] {
            let (log, reports) = logs();
            paused().block_on(async {
                let start = Instant::now();
                let block = {
                    let log = log.clone();
                    async move {
                        hand_off_a_hung_one(&log);
                        if dropped {
                            forever().await;
                        }
                    }
                };
                let whole = using(way, log.clone(), "outer", 0, Box::pin(block));
                if dropped {
                    poll_and_drop(whole);
                    tokio::time::sleep(LIMIT - SECOND).await;
                    assert_eq!(log.line(), "+outer ~hung", "{way:?}");
                    tokio::time::sleep(SECOND * 2).await;
                    assert_eq!(log.line(), "-outer", "{way:?}");
                } else {
                    whole.await;
                    assert_eq!(log.line(), "+outer ~hung -outer", "{way:?}");
                    assert_eq!(start.elapsed(), LIMIT, "{way:?}");
                }
                let reports = reports.line();
                assert!(reports.ends_with(" overtook never"), "{way:?}: {reports}");
                assert_eq!(reports.matches("overtook").count(), 1, "{way:?}: {reports}");
            });
            assert_eq!(reports.line(), "never abandoned", "{way:?}");
        }
    }
}

#[test]
fn the_report_names_every_clean_up_that_is_still_pending() {
    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            hand_off_a_hung_one(&log);
            poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
            let hung = gated(log.clone(), "gated", Arc::new(Notify::new()));
            poll_and_drop(hung.run(async |()| forever().await));
        });
        assert_eq!(reports.line(), "step overtook never,gated");
    });
}

#[test]
fn a_clean_up_that_was_overtaken_goes_on_and_drain_waits_for_it() {
    let (log, reports) = logs();
    paused().block_on(async {
        let gate = Arc::new(Notify::new());
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let slow = gated(log.clone(), "slow", gate.clone());
            poll_and_drop(slow.run(async |()| forever().await));
        });
        assert_eq!(log.line(), "+outer -outer");
        gate.notify_one();
        drain().await;
        assert_eq!(log.line(), "-slow");
    });
    assert_eq!(reports.line(), "step overtook gated");
}

#[test]
fn a_clean_up_that_ends_before_the_limit_is_waited_for() {
    let (log, reports) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let slow = sleeps(log.clone(), "slow", 29_999);
            poll_and_drop(slow.run(async |()| forever().await));
        });
    });
    assert_eq!(log.line(), "+outer -slow -outer");
    assert_eq!(reports.line(), "");
}

#[test]
fn an_exit_has_no_limit_of_its_own() {
    let (log, reports) = logs();
    paused().block_on(async {
        sleeps(log.clone(), "it", 3_600_000)
            .run(async |()| ())
            .await;
        poll_and_drop(sleeps(log.clone(), "it", 3_600_000).run(async |()| forever().await));
        drain().await;
    });
    assert_eq!(log.line(), "-it -it");
    assert_eq!(reports.line(), "");
}

#[test]
fn the_wait_after_an_exit_is_limited() {
    #[async_context]
    async fn leaves_a_hung_one(log: Log) {
        yield_resource!();
        hand_off_a_hung_one(&log);
        log.push("-leaves");
    }

    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        leaves_a_hung_one(log.clone()).run(async |()| ()).await;
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(reports.line(), "leaves_a_hung_one overtook never");
    });
    assert_eq!(log.line(), "~hung -leaves");
}

#[test]
fn the_wait_after_a_failed_set_up_is_limited() {
    #[async_context]
    async fn fails_with_a_hung_one(log: Log) -> Result<(), &'static str> {
        hand_off_a_hung_one(&log);
        if true {
            return Err("no");
        }
        yield_resource!();
        Ok(())
    }

    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        let used = fails_with_a_hung_one(log.clone()).with(async |()| Ok::<_, &str>(()));
        assert_eq!(used.await, Err("no"));
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(reports.line(), "fails_with_a_hung_one overtook never");
    });
}

#[test]
fn drain_has_no_limit() {
    let (log, reports) = logs();
    paused().block_on(async {
        poll_and_drop(sleeps(log.clone(), "it", 3_600_000).run(async |()| forever().await));
        drain().await;
    });
    assert_eq!(log.line(), "-it");
    assert_eq!(reports.line(), "");
}

#[test]
fn exit_timeout_gives_its_time_to_the_wait_and_again_to_the_exit() {
    for seconds in [5, 60] {
        let limit = seconds * SECOND;
        let (log, reports) = logs();
        paused().block_on(async {
            // The wait times out, and the exit does not.
            let start = Instant::now();
            let exit = limit - SECOND;
            let millis = u64::try_from(exit.as_millis()).unwrap();
            let outer = sleeps(log.clone(), "outer", millis).exit_timeout(limit);
            let used = outer.with(async |()| {
                hand_off_a_hung_one(&log);
                Ok::<_, TimeoutError<Infallible>>(())
            });
            assert_eq!(used.await, Ok(()));
            assert_eq!(start.elapsed(), limit + exit);
            assert_eq!(log.line(), "~hung -outer");
            assert_eq!(reports.line(), "sleeps overtook never");

            // Both time out.
            let start = Instant::now();
            let outer = never(log.clone(), "outer").exit_timeout(limit);
            let used = outer.with(async |()| {
                hand_off_a_hung_one(&log);
                Ok::<_, TimeoutError<Infallible>>(())
            });
            assert_eq!(used.await, Err(TimeoutError::TimedOut));
            assert_eq!(start.elapsed(), 2 * limit);
            assert_eq!(log.line(), "~hung ~outer");
            let expected = ["never overtook never", "never timed out"];
            assert_eq!(reports.take(), expected);

            // The time that the wait takes is not subtracted from the exit's.
            let start = Instant::now();
            let outer = sleeps(log.clone(), "outer", millis).exit_timeout(limit);
            let used = outer.with(async |()| {
                let inner = sleeps(log.clone(), "inner", millis);
                poll_and_drop(inner.run(async |()| forever().await));
                Ok::<_, TimeoutError<Infallible>>(())
            });
            assert_eq!(used.await, Ok(()));
            assert_eq!(start.elapsed(), 2 * exit);
            assert_eq!(log.line(), "-inner -outer");
            assert_eq!(reports.line(), "");
        });
    }
}

#[test]
fn exit_timeout_gives_its_time_to_the_wait_and_to_the_exit_in_the_background() {
    let (log, reports) = logs();
    paused().block_on(async {
        let limit = 5 * SECOND;
        let outer = sleeps(log.clone(), "outer", 4000).exit_timeout(limit);
        poll_and_drop(outer.with(async |()| {
            hand_off_a_hung_one(&log);
            forever().await;
            Ok::<_, TimeoutError<Infallible>>(())
        }));
        tokio::time::sleep(9 * SECOND - Duration::from_millis(10)).await;
        assert_eq!(log.line(), "~hung");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(log.line(), "-outer");
        assert_eq!(reports.line(), "sleeps overtook never");
    });
}

#[test]
fn exit_until_bounds_the_wait_and_the_exit_together() {
    let (log, reports) = logs();
    paused().block_on(async {
        let use_it = async |wait: u64, exit: u64| {
            let start = Instant::now();
            let limit = tokio::time::sleep(5 * SECOND);
            let outer = sleeps(log.clone(), "outer", exit).exit_until(limit);
            let used = outer.with(async |()| {
                let inner = sleeps(log.clone(), "inner", wait);
                poll_and_drop(inner.run(async |()| forever().await));
                Ok::<_, TimeoutError<Infallible>>(())
            });
            (used.await, start.elapsed())
        };
        assert_eq!(use_it(2000, 2000).await, (Ok(()), 4 * SECOND));
        assert_eq!(reports.line(), "");
        let timed_out = (Err(TimeoutError::TimedOut), 5 * SECOND);
        assert_eq!(use_it(3000, 3000).await, timed_out);
        assert_eq!(reports.line(), "sleeps timed out");
        // The limit passes during the wait.
        assert_eq!(use_it(60_000, 3000).await, timed_out);
        assert!(reports.line().contains("overtook"));
        drain().await;
    });
}

#[test]
fn a_context_made_of_contexts_waits_once() {
    let (log, reports) = logs();
    paused().block_on(async {
        let start = Instant::now();
        composed(log.clone(), "it", 0)
            .run(async |()| hand_off_a_hung_one(&log))
            .await;
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(log.line(), "+it ~hung -it");
        assert_eq!(reports.line(), "composed overtook never");
    });
}

#[test]
fn the_wait_limit_works_in_a_runtime_without_a_timer() {
    let (log, reports) = logs();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
        });
        poll_and_drop(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                poll_and_drop(step(log.clone(), "inner", 3).run(async |()| forever().await));
                forever().await;
            });
        });
        drain().await;
    });
    let expected = "+outer +inner -inner -outer +outer +inner -inner -outer";
    assert_eq!(log.line(), expected);
    assert_eq!(reports.line(), "");
}

#[test]
fn the_wait_limit_can_be_set_and_removed() {
    in_own_process(|| {
        let (log, reports) = logs();
        paused().block_on(async {
            set_wait_limit(Some(2 * SECOND));
            let start = Instant::now();
            async_with!(_outer = step(log.clone(), "outer", 0), {
                hand_off_a_hung_one(&log);
            });
            assert_eq!(start.elapsed(), 2 * SECOND);
            assert_eq!(reports.line(), "step overtook never");

            set_wait_limit(None);
            let start = Instant::now();
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let slow = sleeps(log.clone(), "slow", 3_600_000);
                poll_and_drop(slow.run(async |()| forever().await));
            });
            assert_eq!(start.elapsed(), 3600 * SECOND);
            assert_eq!(reports.line(), "");
        });
    });
}

#[test]
fn the_cleanup_timeout_ends_an_exit_in_the_background() {
    in_own_process(|| {
        let (log, reports) = logs();
        set_cleanup_timeout(Some(SECOND));
        paused().block_on(async {
            let start = Instant::now();
            hand_off_a_hung_one(&log);
            drain().await;
            assert_eq!(start.elapsed(), SECOND);
            assert_eq!(reports.line(), "never timed out");

            // The time of an outer clean-up begins with its exit.
            let start = Instant::now();
            poll_and_drop(async {
                async_with!(
                    _outer = sleeps(log.clone(), "outer", 900),
                    _inner = sleeps(log.clone(), "inner", 900),
                    {
                        forever().await;
                    }
                );
            });
            drain().await;
            assert_eq!(start.elapsed(), Duration::from_millis(1800));
            assert_eq!(log.line(), "~hung -inner -outer");
            assert_eq!(reports.line(), "");

            // The timeout does not hold for an exit that its caller waits for.
            sleeps(log.clone(), "in place", 5000)
                .run(async |()| ())
                .await;
            assert_eq!(log.line(), "-in place");

            set_cleanup_timeout(None);
            poll_and_drop(sleeps(log.clone(), "slow", 60_000).run(async |()| forever().await));
            drain().await;
            assert_eq!(log.line(), "-slow");
            assert_eq!(reports.line(), "");
        });
    });
}

#[test]
fn the_cleanup_timeout_ends_a_set_up_in_the_background() {
    #[async_context]
    async fn retries(log: Log) {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            log.push("again");
            if log.take().is_empty() {
                break;
            }
        }
        yield_resource!();
    }
    #[async_context]
    async fn enters_late(log: Log) {
        tokio::time::sleep(Duration::from_millis(900)).await;
        yield_resource!();
        tokio::time::sleep(Duration::from_millis(900)).await;
        log.push("-late");
    }

    in_own_process(|| {
        let (log, reports) = logs();
        set_cleanup_timeout(Some(SECOND));
        paused().block_on(async {
            let start = Instant::now();
            poll_and_drop(retries(log.clone()).run(async |()| ()));
            drain().await;
            assert_eq!(start.elapsed(), SECOND);
            assert_eq!(reports.line(), "retries timed out");

            // The exit after a set-up in the background gets the whole timeout.
            log.take();
            let start = Instant::now();
            poll_and_drop(enters_late(log.clone()).run(async |()| ()));
            drain().await;
            assert_eq!(start.elapsed(), Duration::from_millis(1800));
            assert_eq!(log.line(), "-late");
            assert_eq!(reports.line(), "");
        });
    });
}
