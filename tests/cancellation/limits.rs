//! Exits that may take only so long, in place and in the background.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use guard_core::{AsyncContext, TimeoutError, async_context, async_with, drain, yield_resource};
use guard_tests::{Dropped, Log, block_on, poll_once};
use tokio::time::{Instant, sleep};

use crate::own_process::in_own_process;
use crate::simulation;

const LIMIT: Duration = Duration::from_secs(5);

/// Takes this long to clean up.
macro_rules! takes {
    ($name:ident) => {
        #[async_context]
        async fn $name(log: Log, time: Duration) -> Result<(), Infallible> {
            let _held = Dropped(log.clone(), "held");
            let outcome = yield_resource!();
            log.push(format_args!("exiting({outcome:?})"));
            sleep(time).await;
            log.push("exited");
            Ok(())
        }
    };
}

/// The only report that names this context says that it took too long.
#[track_caller]
fn assert_timed_out(name: &str) {
    let reports = simulation::reports_containing(&format!("::{name}`"));
    assert_eq!(reports.len(), 1, "{reports:?}");
    let what = ": clean-up exceeded its time limit and was dropped";
    assert!(reports[0].ends_with(what), "{reports:?}");
    assert!(reports[0].contains("limits.rs:"), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_ends_in_time_is_not_disturbed() {
    takes!(in_time);
    simulation::install();
    let log = Log::new();
    let time = LIMIT - Duration::from_millis(1);
    let using = in_time(log.clone(), time).exit_timeout(LIMIT);
    let result: Result<u8, TimeoutError<Infallible>> = using.with(async |()| Ok(7)).await;
    assert_eq!(result, Ok(7));
    assert_eq!(log.line(), "exiting(Completed) exited drop(held)");
    assert_eq!(simulation::reports_containing("::in_time`"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_takes_too_long_is_dropped_and_says_so() {
    takes!(too_long);
    simulation::install();
    let log = Log::new();
    let start = Instant::now();
    let using = too_long(log.clone(), 2 * LIMIT).exit_timeout(LIMIT);
    let result: Result<(), TimeoutError<Infallible>> = using.with(async |()| Ok(())).await;
    assert_eq!(result, Err(TimeoutError::TimedOut));
    assert_eq!(start.elapsed(), LIMIT);
    assert_eq!(log.line(), "exiting(Completed) drop(held)");
    assert_timed_out("too_long");
    assert!(
        TimeoutError::<Infallible>::TimedOut
            .to_string()
            .contains("time limit")
    );
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_an_io_error_where_those_are_used() {
    #[async_context]
    async fn file(time: Duration) -> std::io::Result<()> {
        yield_resource!();
        sleep(time).await;
        Err(std::io::ErrorKind::StorageFull.into())
    }
    async fn write(time: Duration) -> std::io::Result<()> {
        async_with!(_file = file(time).exit_timeout(LIMIT)?, {});
        Ok(())
    }

    simulation::install();
    let kind = async |time| write(time).await.unwrap_err().kind();
    assert_eq!(kind(LIMIT / 2).await, std::io::ErrorKind::StorageFull);
    assert_eq!(kind(2 * LIMIT).await, std::io::ErrorKind::TimedOut);
    let error = write(2 * LIMIT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "clean-up exceeded its time limit and was dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_begins_to_run_with_the_exit() {
    takes!(after_a_long_body);
    simulation::install();
    let log = Log::new();
    let using = after_a_long_body(log.clone(), LIMIT / 2).exit_timeout(LIMIT);
    let result: Result<(), TimeoutError<Infallible>> = using
        .with(async |()| {
            sleep(10 * LIMIT).await;
            Ok(())
        })
        .await;
    assert_eq!(result, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_bodys_error_comes_before_the_time_out() {
    takes!(after_an_error);
    #[derive(Debug, PartialEq)]
    enum Error {
        Body,
        Exit,
    }
    impl From<TimeoutError<Infallible>> for Error {
        fn from(_: TimeoutError<Infallible>) -> Self {
            Self::Exit
        }
    }

    async fn inline(log: Log) -> Result<(), Error> {
        async_with!(
            _bounded = after_an_error(log, 2 * LIMIT).exit_timeout(LIMIT)?,
            {
                Err(Error::Body)?;
            }
        );
        Ok(())
    }

    simulation::install();
    let log = Log::new();
    assert_eq!(inline(log.clone()).await, Err(Error::Body));
    assert_eq!(log.line(), "exiting(Failed(())) drop(held)");
    let reports = simulation::reports_containing("::after_an_error`");
    assert!(!reports.is_empty());
    assert!(reports.iter().all(|report| report.contains("time limit")));
}

#[tokio::test(start_paused = true)]
async fn the_contexts_own_error_is_kept() {
    #[async_context]
    async fn fails_in_time() -> Result<(), &'static str> {
        yield_resource!();
        Err("disk full")
    }

    let using = fails_in_time().exit_timeout(LIMIT);
    let result: Result<(), TimeoutError<&str>> = using.with(async |()| Ok(())).await;
    assert_eq!(result, Err(TimeoutError::Context("disk full")));
}

#[test]
fn an_exit_in_the_background_is_bounded_too() {
    takes!(in_the_background);
    in_own_process(|| {
        simulation::install();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (log, start) = (Log::new(), Instant::now());
            let bounded = in_the_background(log.clone(), 2 * LIMIT).exit_timeout(LIMIT);
            let mut using = Box::pin(bounded.with(async |()| {
                std::future::pending::<()>().await;
                Ok::<_, TimeoutError<Infallible>>(())
            }));
            assert!(poll_once(using.as_mut()).is_pending());
            drop(using);
            drain().await;
            assert_eq!(start.elapsed(), LIMIT);
            assert_eq!(log.line(), "exiting(Cancelled) drop(held)");
            assert_timed_out("in_the_background");
        });
    });
}

#[test]
fn an_exit_that_is_dropped_half_way_goes_on_bounded() {
    takes!(dropped_half_way);
    in_own_process(|| {
        simulation::install();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (log, start) = (Log::new(), Instant::now());
            let bounded = dropped_half_way(log.clone(), 2 * LIMIT).exit_timeout(LIMIT);
            let using = bounded.with(async |()| Ok::<_, TimeoutError<Infallible>>(()));
            assert!(tokio::time::timeout(LIMIT / 2, using).await.is_err());
            drain().await;
            assert_eq!(start.elapsed(), LIMIT, "the clock goes on as well");
            assert_eq!(log.line(), "exiting(Completed) drop(held)");
            assert_timed_out("dropped_half_way");
        });
    });
}

#[test]
fn an_outer_context_is_exited_after_an_inner_one_ran_out_of_time() {
    takes!(hangs);
    in_own_process(|| {
        simulation::install();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (outer, inner, start) = (Log::new(), Log::new(), Instant::now());
            let mut using = Box::pin({
                let (outer, inner) = (outer.clone(), inner.clone());
                async move {
                    let outer = hangs(outer, Duration::from_secs(1));
                    outer
                        .run(async |()| {
                            let inner = hangs(inner, Duration::MAX).exit_timeout(LIMIT);
                            let pending = inner.try_with(async |()| {
                                std::future::pending::<()>().await;
                                Ok::<_, ()>(())
                            });
                            pending.await.is_ok()
                        })
                        .await
                }
            });
            assert!(poll_once(using.as_mut()).is_pending());
            drop(using);
            assert_eq!(outer.line(), "", "it waits");
            drain().await;
            assert_eq!(inner.line(), "exiting(Cancelled) drop(held)");
            assert_eq!(outer.line(), "exiting(Cancelled) exited drop(held)");
            assert_eq!(start.elapsed(), LIMIT + Duration::from_secs(1));
            assert_timed_out("hangs");
        });
    });
}

#[test]
fn any_future_can_be_the_limit() {
    #[async_context]
    async fn until_a_signal(log: Log) -> Result<(), Infallible> {
        let _held = Dropped(log.clone(), "held");
        yield_resource!();
        std::future::pending().await
    }

    simulation::install();
    let log = Log::new();
    let (signal, limit) = futures::channel::oneshot::channel::<()>();
    let limit = async { _ = limit.await };
    let guard = block_on(until_a_signal(log.clone()).exit_until(limit).enter()).unwrap();
    let mut exiting = Box::pin(guard.exit());
    assert!(poll_once(exiting.as_mut()).is_pending());
    assert_eq!(log.line(), "");
    signal.send(()).unwrap();
    let std::task::Poll::Ready(exited) = poll_once(exiting.as_mut()) else {
        panic!("its time is up");
    };
    assert_eq!(exited, Err(TimeoutError::TimedOut));
    assert_eq!(log.line(), "drop(held)");
    assert_timed_out("until_a_signal");

    // The same in the background, outside of any runtime.
    let (signal, limit) = futures::channel::oneshot::channel::<()>();
    let limit = async { _ = limit.await };
    drop(block_on(
        until_a_signal(log.clone()).exit_until(limit).enter(),
    ));
    assert_eq!(simulation::background_tasks(), 1);
    signal.send(()).unwrap();
    simulation::finish_background();
    assert_eq!(log.line(), "drop(held)");
    assert_eq!(simulation::reports_containing("::until_a_signal`").len(), 2);
}

/// A limit that panics when it is polled, and counts how often it is.
fn panics(polls: Arc<AtomicUsize>) -> impl Future<Output = ()> + Send + 'static {
    std::future::poll_fn(move |_| {
        polls.fetch_add(1, Ordering::Relaxed);
        panic!("the limit is broken")
    })
}

#[test]
fn a_limit_that_panics_in_the_background_is_reported_and_the_exit_goes_on() {
    #[async_context]
    async fn with_a_broken_limit(log: Log) -> Result<(), Infallible> {
        yield_resource!();
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        log.push("exited");
        Ok(())
    }

    simulation::install();
    let log = Log::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let context = with_a_broken_limit(log.clone()).exit_until(panics(polls.clone()));
    drop(block_on(context.enter()));
    assert_eq!(log.line(), "");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    let reports = simulation::reports_containing("::with_a_broken_limit`");
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("the limit is broken"), "{reports:?}");
}

#[test]
fn a_limit_that_panics_in_place_does_so_when_the_exit_is_over() {
    #[async_context]
    async fn whose_limit_breaks(log: Log) -> Result<(), &'static str> {
        yield_resource!();
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        log.push("exited");
        Err("failed")
    }
    #[async_context]
    async fn around_it(log: Log) {
        let outcome = yield_resource!();
        log.push(format_args!("outer({outcome:?})"));
    }

    simulation::install();
    let log = Log::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let using = || {
        let (log, limit) = (log.clone(), panics(polls.clone()));
        Box::pin(async move {
            let bounded = whose_limit_breaks(log.clone()).exit_until(limit);
            async_with!(_outer = around_it(log), _inner = bounded?, {});
            Ok::<_, TimeoutError<&str>>(())
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(|| block_on(using())));
    let payload = payload.expect_err("the panic is the caller's");
    assert_eq!(payload.downcast_ref(), Some(&"the limit is broken"));
    assert_eq!(log.line(), "exited outer(Panicked)");
    assert_eq!(polls.swap(0, Ordering::Relaxed), 1);
    let reports = || {
        let all = simulation::reports_containing("::whose_limit_breaks`").into_iter();
        let what = |report: String| Some(report.split_once("): ")?.1.to_owned());
        all.filter_map(what).collect::<Vec<_>>()
    };
    assert_eq!(reports(), ["clean-up failed: failed"]);

    // Its caller is gone when the exit is over.
    let mut using = using();
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    simulation::finish_background();
    assert_eq!(log.line(), "exited outer(Cancelled)");
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    let expected = [
        "clean-up failed: failed",
        "clean-up panicked: the limit is broken",
        "clean-up failed: failed",
    ];
    assert_eq!(reports(), expected);
}

/// A limit that is never up, and panics when it is dropped.
async fn panics_in_the_end() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("the limit breaks");
        }
    }

    let _panics = Panics;
    std::future::pending().await
}

#[test]
fn a_limit_that_panics_when_it_is_dropped_does_not_take_outer_clean_ups_with_it() {
    #[async_context]
    async fn around_a_limit_that_breaks(log: Log) -> Result<(), Infallible> {
        let outcome = yield_resource!();
        tokio::task::yield_now().await;
        log.push(format_args!("exited({outcome:?})"));
        Ok(())
    }
    #[async_context]
    async fn whose_limit_breaks_in_the_end() -> Result<(), Infallible> {
        yield_resource!();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        Ok(())
    }

    simulation::install();
    let log = Log::new();
    let mut using = {
        let log = log.clone();
        Box::pin(async move {
            let outer = around_a_limit_that_breaks(log);
            let inner = whose_limit_breaks_in_the_end().exit_until(panics_in_the_end());
            let inner = inner.map_err(|_| -> Infallible { unreachable!("there is time") });
            async_with!(_outer = outer?, _inner = inner?, {
                std::future::pending::<()>().await;
            });
            Ok::<_, Infallible>(())
        })
    };
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    assert_eq!(log.line(), "", "it waits");
    simulation::finish_background();
    assert_eq!(log.line(), "exited(Cancelled)");
    let reports = simulation::reports_containing("::whose_limit_breaks_in_the_end`");
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("the limit breaks"), "{reports:?}");
    assert_eq!(simulation::reports_containing("::around_a_limit"), [""; 0]);
}

#[test]
fn a_limit_that_panics_when_it_is_dropped_does_not_hide_how_the_exit_ended() {
    #[async_context]
    async fn fails_before_its_limit_breaks() -> Result<(), &'static str> {
        yield_resource!();
        tokio::task::yield_now().await;
        Err("failed")
    }

    simulation::install();
    let context = fails_before_its_limit_breaks().exit_until(panics_in_the_end());
    let exited = block_on(context.with(async |()| Ok(())));
    assert_eq!(exited, Err(TimeoutError::Context("failed")));
    let reports = simulation::reports_containing("::fails_before_its_limit_breaks`");
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert!(reports[0].contains("the limit breaks"), "{reports:?}");
}
