//! How long a use waits for its nest. When the time is over, the use goes on, and a report names the
//! clean-ups that it did not wait for.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncExitStack, TimeoutError, async_context, async_with, drain,
    set_cleanup_timeout, set_wait_limit, settled, yield_resource,
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
fn a_use_that_is_cancelled_while_it_waits_has_the_rest_of_its_time() {
    for way in WAYS.into_iter().filter(|way| *way != Way::Join) {
        let (log, reports) = logs();
        paused().block_on(async {
            let block = {
                let log = log.clone();
                async move { hand_off_a_hung_one(&log) }
            };
            let whole = using(way, log.clone(), "outer", 0, Box::pin(block));
            let cancelled = tokio::time::timeout(SECOND * 20, whole).await;
            assert!(cancelled.is_err(), "{way:?}");
            tokio::time::sleep(SECOND * 9).await;
            assert_eq!(log.line(), "+outer ~hung", "{way:?}");
            tokio::time::sleep(SECOND * 2).await;
            assert_eq!(log.line(), "-outer", "{way:?}");
            let reports = reports.line();
            assert!(reports.ends_with(" overtook never"), "{way:?}: {reports}");
        });
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

/// Hands off a clean-up that takes `millis` milliseconds.
fn hand_off_a_slow_one(log: &Log, millis: u64) {
    poll_and_drop(sleeps(log.clone(), "slow", millis).run(async |()| forever().await));
}

/// Uses a context that waits for a second at most, and leaves what takes three.
async fn overtakes(log: &Log) {
    let impatient = step(log.clone(), "impatient", 0).exit_timeout(SECOND);
    let used = impatient.try_with(async |()| {
        hand_off_a_slow_one(log, 3000);
        Ok::<_, ()>(())
    });
    assert!(used.await.is_ok());
    log.push("next");
}

#[test]
fn the_use_around_an_exit_with_a_limit_waits_for_what_that_has_overtaken() {
    in_own_runtime(async |log, reports| {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            overtakes(&log).await;
        });
        let expected = "+outer +impatient -impatient next -slow -outer";
        assert_eq!(log.line(), expected, "in place");
        assert_eq!(reports.line(), "step overtook sleeps");

        poll_and_drop(step(log.clone(), "outer", 0).run(async |()| {
            overtaken_later(&log).await;
        }));
        drain().await;
        let expected = "+outer +impatient -impatient -slow -outer";
        assert_eq!(log.line(), expected, "in the background");
        assert_eq!(reports.line(), "step overtook sleeps");
    });
}

/// As [`overtakes`], and does not end.
async fn overtaken_later(log: &Log) {
    let impatient = step(log.clone(), "impatient", 0).exit_timeout(SECOND);
    let used = impatient.try_with(async |()| {
        hand_off_a_slow_one(log, 3000);
        forever().await;
        Ok::<_, ()>(())
    });
    let _ = used.await;
}

#[test]
fn settled_waits_for_what_an_exit_in_it_has_overtaken() {
    in_own_runtime(async |log, reports| {
        settled(overtakes(&log)).await;
        assert_eq!(log.line(), "+impatient -impatient next -slow");
        assert_eq!(reports.line(), "step overtook sleeps");

        // The same with the general limit.
        settled(step(log.clone(), "it", 0).run(async |()| hand_off_a_slow_one(&log, 40_000))).await;
        assert_eq!(log.line(), "+it -it -slow");
        assert_eq!(reports.line(), "step overtook sleeps");
    });
}

#[test]
fn exits_around_one_another_have_the_general_limit_together_for_one_clean_up() {
    in_own_runtime(async |log, reports| {
        let start = Instant::now();
        async_with!(_a = step(log.clone(), "a", 0), {
            async_with!(_b = step(log.clone(), "b", 0), {
                hand_off_a_hung_one(&log);
            });
        });
        assert_eq!(start.elapsed(), LIMIT);
        assert_eq!(log.line(), "+a +b ~hung -b -a");
        assert_eq!(reports.line(), "step overtook never");
    });
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
fn the_wait_before_an_exit_and_the_wait_after_it_have_the_whole_limit_each() {
    const OVERTOOK: &str = "leaves_a_hung_one overtook never";
    let both = |log: Log, dropped: bool| {
        let it = leaves_a_hung_one(log.clone(), 0);
        it.run(async move |()| {
            hand_off_a_hung_one(&log);
            if dropped {
                forever().await;
            }
        })
    };
    in_own_runtime(async |log, reports| {
        let start = Instant::now();
        both(log.clone(), false).await;
        assert_eq!(start.elapsed(), LIMIT * 2);
        assert_eq!(log.line(), "~hung ~hung -leaves");
        assert_eq!(reports.take(), [OVERTOOK; 2]);
    });
    in_own_runtime(async |log, reports| {
        poll_and_drop(both(log.clone(), true));
        tokio::time::sleep(LIMIT - SECOND).await;
        assert_eq!(
            (log.line(), reports.line()),
            ("~hung".into(), String::new())
        );
        tokio::time::sleep(SECOND * 2).await;
        assert_eq!(log.line(), "~hung -leaves");
        assert_eq!(reports.line(), OVERTOOK);
        tokio::time::sleep(LIMIT - SECOND * 2).await;
        assert_eq!(reports.line(), "");
        tokio::time::sleep(SECOND * 2).await;
        assert_eq!(reports.line(), OVERTOOK);
    });
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
fn a_wait_that_has_begun_keeps_its_limit() {
    in_own_process(|| {
        for (at_first, later, waits) in [
            (None, Some(SECOND), 3600 * SECOND),
            (Some(2 * SECOND), None, 2 * SECOND),
            (Some(2 * SECOND), Some(SECOND), 2 * SECOND),
        ] {
            let (log, _reports) = logs();
            paused().block_on(async {
                set_wait_limit(at_first);
                let start = Instant::now();
                let used = async {
                    async_with!(_outer = step(log.clone(), "outer", 0), {
                        let slow = sleeps(log.clone(), "slow", 3_600_000);
                        poll_and_drop(slow.run(async |()| forever().await));
                    });
                };
                let mut used = std::pin::pin!(used);
                assert!(
                    tokio::time::timeout(Duration::ZERO, used.as_mut())
                        .await
                        .is_err()
                );
                set_wait_limit(later);
                assert!(
                    tokio::time::timeout(Duration::ZERO, used.as_mut())
                        .await
                        .is_err()
                );
                used.await;
                assert_eq!(start.elapsed(), waits, "{at_first:?} {later:?}");
                drain().await;
            });
        }
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

/// A context whose exit takes `millis` milliseconds, and leaves a clean-up that never ends.
#[async_context]
async fn leaves_a_hung_one(log: Log, millis: u64) {
    yield_resource!();
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    hand_off_a_hung_one(&log);
    log.push("-leaves");
}

/// Waits until a clean-up has not waited any longer.
async fn overtaken(reports: &Log) {
    let mut is_over = false;
    while !is_over {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for report in reports.take() {
            is_over |= report.contains("overtook");
            reports.push(report);
        }
    }
}

type Timed = Result<(), TimeoutError<Infallible>>;

/// Uses a context in this way.
async fn used_in<C>(way: &str, context: C, reports: &Log) -> Timed
where
    C: AsyncContext<Resource = (), Error = TimeoutError<Infallible>> + Send + 'static,
{
    match way {
        "with" => context.with(async |()| Ok(())).await,
        "guard" => context.enter().await?.exit().await,
        "join" => {
            async_with!(
                join(_it = context?, _other = step(Log::new(), "other", 0)),
                {}
            );
            Ok(())
        }
        "stack" => {
            let stack = AsyncExitStack::<TimeoutError<Infallible>>::new();
            stack.enter(context).await?;
            stack.aclose().await
        }
        "keyed" => {
            let stack = AsyncExitStack::<TimeoutError<Infallible>>::new();
            let _ = stack.enter_keyed(context).await?;
            stack.aclose().await
        }
        _ => {
            poll_and_drop(context.with(async |()| {
                forever().await;
                Timed::Ok(())
            }));
            overtaken(reports).await;
            Ok(())
        }
    }
}

/// Polls the future until it is ready, for a day.
async fn within_a_day<F: Future>(what: &str, future: F) -> (F::Output, Duration) {
    let start = Instant::now();
    let ended = tokio::time::timeout(86_400 * SECOND, future).await;
    let ended = ended.unwrap_or_else(|_| panic!("{what}: it still waits"));
    // Who looks in the background looks every millisecond.
    let seconds = (start.elapsed() + Duration::from_millis(2)).as_secs();
    (ended, seconds as u32 * SECOND)
}

const USES: [&str; 6] = ["with", "guard", "join", "stack", "keyed", "background"];

#[test]
fn exit_timeout_gives_its_time_to_the_wait_after_the_exit_too() {
    for way in USES {
        for (seconds, exit) in [(5, 0), (5, 2000), (60, 2000)] {
            in_own_runtime(async |log, reports| {
                let limit = seconds * SECOND;
                let it = leaves_a_hung_one(log, exit).exit_timeout(limit);
                let expected = limit + Duration::from_millis(exit);
                let what = format!("{way}, {seconds} s, the exit takes {exit} ms");
                assert_eq!(
                    within_a_day(&what, used_in(way, it, &reports)).await,
                    (Ok(()), expected),
                    "{what}"
                );
                assert_eq!(reports.line(), "leaves_a_hung_one overtook never", "{what}");
            });
        }
    }
}

#[test]
fn exit_until_bounds_the_wait_after_the_exit_too() {
    for way in USES {
        in_own_runtime(async |log, reports| {
            let it = leaves_a_hung_one(log, 2000).exit_until(tokio::time::sleep(5 * SECOND));
            assert_eq!(
                within_a_day(way, used_in(way, it, &reports)).await,
                (Ok(()), 5 * SECOND),
                "{way}"
            );
            assert_eq!(reports.line(), "leaves_a_hung_one overtook never", "{way}");
        });
    }
}

#[test]
fn exit_timeout_gives_its_time_to_each_wait_anew() {
    for background in [false, true] {
        in_own_runtime(async |log, reports| {
            let it = leaves_a_hung_one(log.clone(), 0).exit_timeout(5 * SECOND);
            let used = it.with(async |()| {
                hand_off_a_hung_one(&log);
                if background {
                    forever().await;
                }
                Timed::Ok(())
            });
            if background {
                poll_and_drop(used);
                tokio::time::sleep(10 * SECOND - Duration::from_millis(10)).await;
                assert_eq!(reports.line(), "leaves_a_hung_one overtook never");
                tokio::time::sleep(Duration::from_millis(20)).await;
                assert_eq!(reports.line(), "leaves_a_hung_one overtook never");
            } else {
                assert_eq!(within_a_day("in place", used).await, (Ok(()), 10 * SECOND));
                let expected = ["leaves_a_hung_one overtook never"; 2];
                assert_eq!(reports.take(), expected);
            }
        });
    }
}

/// The wait for what the set-up of an entry has dropped.
#[test]
fn an_entry_of_a_stack_waits_before_its_exit_as_long_as_its_own_limit() {
    #[async_context]
    async fn leaves_one_in_its_set_up(log: Log) {
        hand_off_a_hung_one(&log);
        yield_resource!();
    }

    for way in ["stack", "keyed"] {
        in_own_runtime(async |log, reports| {
            let it = leaves_one_in_its_set_up(log).exit_timeout(5 * SECOND);
            assert_eq!(
                within_a_day(way, used_in(way, it, &reports)).await,
                (Ok(()), 5 * SECOND),
                "{way}"
            );
            assert_eq!(
                reports.line(),
                "leaves_one_in_its_set_up overtook never",
                "{way}"
            );
        });
    }
}

#[test]
fn joined_contexts_wait_as_long_as_the_most_patient_of_them() {
    let bounded = |seconds| {
        let it = step(Log::new(), "it", 0);
        it.exit_timeout(seconds * SECOND)
    };
    in_own_runtime(async |log, reports| {
        let hung = async || hand_off_a_hung_one(&log);
        let two = async {
            async_with!(join(_a = bounded(5)?, _b = bounded(7)?), { hung().await });
            Timed::Ok(())
        };
        assert_eq!(within_a_day("two limits", two).await, (Ok(()), 7 * SECOND));
        assert_eq!(reports.line(), "step overtook never");

        let three = async {
            async_with!(
                join(_a = bounded(5)?, _b = bounded(8)?, _c = bounded(6)?),
                { hung().await }
            );
            Timed::Ok(())
        };
        assert_eq!(
            within_a_day("three limits", three).await,
            (Ok(()), 8 * SECOND)
        );

        for (seconds, expected) in [(5, 30), (40, 40)] {
            let one = async {
                async_with!(
                    join(_a = bounded(seconds)?, _b = step(Log::new(), "b", 0)),
                    { hung().await }
                );
                Timed::Ok(())
            };
            let waited = within_a_day("one limit", one).await;
            assert_eq!(waited, (Ok(()), expected * SECOND), "limit {seconds}");
            let one = async {
                async_with!(
                    join(
                        _a = step(Log::new(), "a", 0),
                        _b = step(Log::new(), "b", 0),
                        _c = bounded(seconds)?
                    ),
                    { hung().await }
                );
                Timed::Ok(())
            };
            let waited = within_a_day("one limit of three", one).await;
            assert_eq!(waited, (Ok(()), expected * SECOND), "limit {seconds}");
        }
    });
}

/// A limit that panics when it is polled for the first time.
async fn broken() {
    std::panic::resume_unwind(Box::new("the limit breaks"));
}

/// The message of the panic of a future.
async fn panic_of(future: impl Future) -> &'static str {
    let mut future = Box::pin(future);
    let caught = std::future::poll_fn(|cx| {
        let poll = std::panic::AssertUnwindSafe(|| future.as_mut().poll(cx));
        match std::panic::catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => panic!("it should panic"),
            Err(panic) => Poll::Ready(panic),
        }
    });
    caught.await.downcast_ref::<&str>().expect("a text")
}

#[test]
fn the_general_limit_holds_for_the_waits_of_a_limit_that_has_panicked() {
    in_own_runtime(async |log, reports| {
        // Before the exit, which then ends with the panic.
        let used = step(log.clone(), "it", 0)
            .exit_until(broken())
            .with(async |()| {
                hand_off_a_hung_one(&log);
                Timed::Ok(())
            });
        let ended = within_a_day("before", panic_of(used)).await;
        assert_eq!(ended, ("the limit breaks", LIMIT));
        assert_eq!(reports.line(), "step overtook never");
    });
    in_own_runtime(async |log, reports| {
        // After the exit, of which the caller is told.
        let it = leaves_a_hung_one(log, 0).exit_until(broken());
        let ended = within_a_day("after", used_in("with", it, &reports)).await;
        assert_eq!(ended, (Ok(()), LIMIT));
        let expected = [
            "leaves_a_hung_one overtook never",
            "leaves_a_hung_one panicked: the limit breaks",
        ];
        assert_eq!(reports.take(), expected);
    });
    in_own_runtime(async |log, reports| {
        // In the background, after the exit.
        let it = leaves_a_hung_one(log, 0).exit_until(broken());
        let ended = within_a_day("background", used_in("background", it, &reports)).await;
        assert_eq!(ended, (Ok(()), LIMIT));
        let expected = [
            "leaves_a_hung_one panicked: the limit breaks",
            "leaves_a_hung_one overtook never",
        ];
        assert_eq!(reports.take(), expected);
    });
    #[async_context(scoped)]
    async fn two(log: &Log) {
        async_with!(
            _a = step(log.clone(), "a", 0),
            _b = step(log.clone(), "b", 0),
            {
                yield_resource!();
            }
        );
    }
    in_own_runtime(async |log, reports| {
        // In the background, before the exit, for two clean-ups that share the limit.
        poll_and_drop(two(&log).exit_until(broken()).try_with(async |()| {
            hand_off_a_hung_one(&log);
            forever().await;
            Ok::<_, ()>(())
        }));
        let both_ended = async {
            while !log.take().iter().any(|it| it == "-a") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert_eq!(within_a_day("shared", both_ended).await, ((), LIMIT));
        let reports = reports.take();
        let panics = reports.iter().filter(|it| it.contains("panicked"));
        assert_eq!(panics.count(), 1, "{reports:?}");
        let overtook = reports.iter().filter(|it| it.contains("overtook"));
        assert_eq!(overtook.count(), 1, "{reports:?}");
    });
}

/// Runs the test with its logs in a runtime with a paused clock.
fn in_own_runtime(test: impl AsyncFnOnce(Log, Log)) {
    let (log, reports) = logs();
    paused().block_on(test(log, reports));
}
