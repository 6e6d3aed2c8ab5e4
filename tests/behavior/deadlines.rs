//! Exits with a time limit: `exit_timeout` and `exit_until`.

use std::future::{Ready, pending, poll_fn, ready};
use std::pin::pin;
use std::time::Duration;

use guard_core::{
    AsyncContext, AsyncManager, Outcome, TimeoutError, TryWithError, async_context, async_with,
    drain, exit_stack, manage, yield_resource,
};
use guard_tests::{Dropped, Log, block_on, panic_message, poll_once, poll_times, yield_once};
use tokio::time::{Instant, sleep};

use crate::reports;

const SECOND: Duration = Duration::from_secs(1);

/// A context whose exit takes this long.
#[async_context]
async fn taking(log: Log, time: Duration) -> Result<u32, String> {
    let _held = Dropped(log.clone(), "held");
    let mut lent = 1;
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({outcome:?})"));
    sleep(time).await;
    log.push("exited");
    Err("exit".into())
}

#[tokio::test(start_paused = true)]
async fn an_exit_within_its_limit_is_not_changed() {
    reports::collect();
    let log = Log::new();
    let used = taking(log.clone(), SECOND).exit_timeout(2 * SECOND);
    let used = used.try_with(async |n| Ok::<_, ()>(*n)).await;
    let error = TimeoutError::Context("exit".to_string());
    assert_eq!(used, Err(TryWithError::Exit { value: 1, error }));
    assert_eq!(log.line(), "exit(Completed) exited drop(held)");

    // The error of the context is displayed unchanged.
    let used = taking(log.clone(), SECOND).exit_timeout(2 * SECOND);
    let used = used.try_with(async |_| Err::<(), _>("body")).await;
    assert!(matches!(
        used,
        Err(TryWithError::BodyAndExit { body: "body", .. })
    ));
    let used = taking(log.clone(), SECOND)
        .exit_timeout(2 * SECOND)
        .map_err(|error| error.to_string());
    let used = used.with(async |_| Err::<(), _>("body".to_string())).await;
    assert_eq!(used, Err("body".to_string()));
    assert_eq!(reports::take(), ["Failed(\"exit\")"]);
    assert_eq!(reports::take_names(), ["behavior::deadlines::taking"]);
}

#[tokio::test(start_paused = true)]
async fn the_clock_starts_with_the_exit() {
    let log = Log::new();
    let begun = Instant::now();
    let used = taking(log.clone(), SECOND).exit_timeout(2 * SECOND);
    let used = used.with(async |_| -> Result<(), TimeoutError<String>> {
        sleep(60 * SECOND).await;
        Ok(())
    });
    assert_eq!(used.await, Err(TimeoutError::Context("exit".into())));
    assert_eq!(begun.elapsed(), 61 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_exit_that_exceeds_its_limit_is_dropped_and_reported_once() {
    reports::collect();
    let log = Log::new();
    let begun = Instant::now();
    let used = taking(log.clone(), 3 * SECOND).exit_timeout(2 * SECOND);
    let used = used
        .with(async |_| Ok::<(), TimeoutError<String>>(()))
        .await;
    assert_eq!(used, Err(TimeoutError::TimedOut));
    assert_eq!(
        used.unwrap_err().to_string(),
        "clean-up exceeded its time limit and was dropped"
    );
    assert_eq!(begun.elapsed(), 2 * SECOND);
    assert_eq!(log.line(), "exit(Completed) drop(held)");
    drain().await;
    assert_eq!(reports::take(), ["TimedOut"]);
    assert_eq!(reports::take_names(), ["behavior::deadlines::taking"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_failed_keeps_its_error() {
    reports::collect();
    let body = TimeoutError::Context("body".to_string());
    let used = taking(Log::new(), 3 * SECOND).exit_timeout(SECOND);
    let used = used.with(async |_| Err::<(), _>(body.clone())).await;
    assert_eq!(used, Err(body));
    assert_eq!(
        reports::take(),
        ["TimedOut"],
        "the timeout is reported once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_reported_once_through_map_err() {
    reports::collect();
    let used = taking(Log::new(), 3 * SECOND)
        .exit_timeout(SECOND)
        .map_err(|error| error.to_string());
    let used = used.with(async |_| Err::<(), _>("body".to_string())).await;
    assert_eq!(used, Err("body".to_string()));
    assert_eq!(reports::take(), ["TimedOut"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_in_the_background() {
    reports::collect();
    let log = Log::new();
    for (limit, expected) in [
        (2, "exit(Cancelled) drop(held)"),
        (4, "exit(Cancelled) exited drop(held)"),
    ] {
        let begun = Instant::now();
        let used = taking(log.clone(), 3 * SECOND).exit_timeout(limit * SECOND);
        let mut used =
            Box::pin(used.with(async |_| pending::<Result<(), TimeoutError<String>>>().await));
        assert!(poll_once(used.as_mut()).is_pending());
        drop(used);
        // The task that gives the exit up sends the report.
        drain().await;
        assert_eq!(log.line(), expected);
        assert_eq!(begun.elapsed(), limit.min(3) * SECOND);
    }
    assert_eq!(reports::take(), ["TimedOut", "Failed(exit)"]);
    assert_eq!(
        reports::take_names(),
        ["behavior::deadlines::taking"; 2],
        "each report names its context"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_goes_on_when_the_exit_is_dropped() {
    reports::collect();
    let log = Log::new();
    let begun = Instant::now();
    let used = taking(log.clone(), 5 * SECOND).exit_timeout(3 * SECOND);
    let used = used.with(async |_| Ok::<(), TimeoutError<String>>(()));
    // Two seconds have passed when the use is dropped, and one is left.
    assert!(tokio::time::timeout(2 * SECOND, used).await.is_err());
    drain().await;
    assert_eq!(begun.elapsed(), 3 * SECOND);
    assert_eq!(log.line(), "exit(Completed) drop(held)");
    assert_eq!(reports::take(), ["TimedOut"]);
}

#[tokio::test(start_paused = true)]
async fn a_scoped_context_is_bounded_as_well() {
    #[async_context(scoped)]
    async fn borrowing(log: &Log) {
        let _held = Dropped(log.clone(), "held");
        yield_resource!();
        pending().await
    }

    reports::collect();
    let log = Log::new();
    let used = borrowing(&log)
        .exit_timeout(SECOND)
        .with(async |()| Ok::<_, TimeoutError<_>>(1));
    assert_eq!(used.await, Err(TimeoutError::TimedOut));
    assert_eq!(log.line(), "drop(held)");
    assert_eq!(reports::take(), ["TimedOut"]);

    // A cancelled use of a scoped context is dropped where it stands, with or without a limit.
    let mut used = Box::pin(borrowing(&log).exit_timeout(SECOND).enter());
    let entered = poll_once(used.as_mut());
    assert!(entered.is_ready());
    drop(entered);
    assert_eq!(log.line(), "drop(held)");
    assert_eq!(reports::take(), ["Abandoned"]);
}

#[tokio::test(start_paused = true)]
async fn a_manager_is_bounded_as_well() {
    struct Stubborn;
    impl AsyncManager for Stubborn {
        type Resource = ();
        type Error = String;

        async fn enter(&mut self) -> Result<&mut (), String> {
            Ok(Box::leak(Box::new(())))
        }

        async fn exit(&mut self, _: Outcome) -> Result<(), String> {
            pending().await
        }
    }

    reports::collect();
    let used = manage(Stubborn)
        .exit_timeout(SECOND)
        .with(async |()| Ok::<_, TimeoutError<_>>(1));
    assert_eq!(used.await, Err(TimeoutError::TimedOut));
    assert_eq!(reports::take(), ["TimedOut"]);
}

/// A context whose exit takes long, made of a context whose exit takes long.
#[async_context]
async fn composed(log: Log, inner: Duration) -> Result<(), TimeoutError<String>> {
    async_with!(_inner = taking(log, inner).exit_timeout(10 * SECOND)?, {
        yield_resource!();
    });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_shorter_of_two_limits_holds() {
    for in_the_background in [false, true] {
        reports::collect();
        let log = Log::new();
        let begun = Instant::now();
        let used = composed(log.clone(), 5 * SECOND).exit_timeout(2 * SECOND);
        let used = used.with(
            async |()| -> Result<(), TimeoutError<TimeoutError<String>>> {
                if in_the_background {
                    pending::<()>().await;
                }
                Ok(())
            },
        );
        let mut used = Box::pin(used);
        assert!(poll_once(used.as_mut()).is_pending());
        if in_the_background {
            drop(used);
        } else {
            assert_eq!(used.await, Err(TimeoutError::TimedOut));
        }
        drain().await;
        assert_eq!(begun.elapsed(), 2 * SECOND, "{in_the_background}");
        let events = log.take();
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!(
            events[1], "drop(held)",
            "the inner context is dropped with the outer one"
        );
        // Both exits timed out, and each is reported once.
        assert_eq!(reports::take(), ["TimedOut", "TimedOut"]);
        let mut names = reports::take_names();
        names.sort();
        assert_eq!(
            names,
            ["composed", "taking"].map(|name| format!("behavior::deadlines::{name}"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_bounded_as_a_whole() {
    reports::collect();
    let log = Log::new();
    let used = exit_stack::<String>().exit_timeout(SECOND);
    let used = used.with(async |stack| -> Result<(), TimeoutError<String>> {
        for time in [SECOND / 4, 2 * SECOND, SECOND / 2] {
            let entered = stack.enter(taking(log.clone(), time)).await;
            entered.map_err(TimeoutError::Context)?;
        }
        Ok(())
    });
    assert_eq!(used.await, Err(TimeoutError::TimedOut));
    assert_eq!(
        log.line(),
        "exit(Completed) exited drop(held) exit(Failed(())) drop(held) drop(held)"
    );
    assert_eq!(
        reports::take(),
        ["TimedOut", "TimedOut", "Failed(\"exit\")"]
    );
}

#[test]
fn any_future_can_be_the_limit() {
    #[async_context]
    async fn waiting(log: Log, polls: usize) -> Result<(), String> {
        yield_resource!();
        for _ in 0..polls {
            yield_once().await;
        }
        log.push("exited");
        Ok(())
    }
    /// A limit that ends at its third poll.
    fn third(log: &Log) -> impl Future<Output = ()> + Send + 'static {
        let (log, mut polls) = (log.clone(), 0);
        poll_fn(move |_| {
            polls += 1;
            log.push(format_args!("limit {polls}"));
            if polls == 3 {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
    }

    reports::collect();
    let log = Log::new();
    let used = |polls| {
        let context = waiting(log.clone(), polls).exit_until(third(&log));
        block_on(context.with(async |()| Ok::<_, TimeoutError<String>>(())))
    };
    assert_eq!(used(0), Ok(()));
    assert_eq!(
        log.line(),
        "exited",
        "the limit of an exit that is ready is not polled"
    );
    assert_eq!(used(2), Ok(()));
    assert_eq!(log.line(), "limit 1 limit 2 exited");
    assert_eq!(used(3), Err(TimeoutError::TimedOut));
    assert_eq!(log.line(), "limit 1 limit 2 limit 3");
    assert_eq!(reports::take(), ["TimedOut"]);

    // An exit that is ready at its first poll is not bounded by a limit that has passed.
    let at_once: Ready<()> = ready(());
    let context = waiting(log.clone(), 0).exit_until(at_once.clone());
    let used = block_on(context.with(async |()| Ok::<_, TimeoutError<String>>(())));
    assert_eq!(used, Ok(()));
    let context = waiting(log.clone(), 1).exit_until(at_once);
    let used = block_on(context.with(async |()| Ok::<_, TimeoutError<String>>(())));
    assert_eq!(used, Err(TimeoutError::TimedOut));
}

#[test]
fn exit_timeout_outside_a_runtime_has_no_timer() {
    #[async_context]
    async fn waiting() -> Result<(), String> {
        yield_resource!();
        for _ in 0..10 {
            yield_once().await;
        }
        Ok(())
    }
    let used = waiting().exit_timeout(Duration::ZERO);
    let used = block_on(used.with(async |()| Ok::<_, TimeoutError<String>>(())));
    assert_eq!(used, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_for_the_exit_after_a_set_up_in_the_background() {
    #[async_context]
    async fn slow(log: Log) -> Result<(), String> {
        log.push("entering");
        sleep(2 * SECOND).await;
        log.push("entered");
        let outcome = yield_resource!();
        log.push(format_args!("exit({outcome:?})"));
        sleep(2 * SECOND).await;
        log.push("exited");
        Ok(())
    }

    let log = Log::new();
    for (limit, expected) in [
        (1, "entering entered exit(Cancelled)"),
        (3, "entering entered exit(Cancelled) exited"),
    ] {
        reports::collect();
        let mut entering = Box::pin(slow(log.clone()).exit_timeout(limit * SECOND).enter());
        assert!(poll_times(entering.as_mut(), 1).is_pending());
        drop(entering);
        drain().await;
        assert_eq!(log.line(), expected);
        let lost: &[&str] = if limit == 3 { &[] } else { &["TimedOut"] };
        assert_eq!(reports::take(), lost);
    }
}

#[test]
fn a_context_whose_exit_timed_out_cannot_be_used_again() {
    let mut guard = pin!(pending_exit().exit_until(ready(())));
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    assert!(guard.as_mut().poll_enter(&mut cx).is_ready());
    reports::collect();
    let timed_out = guard.as_mut().poll_exit(&mut cx, Outcome::Completed);
    assert!(matches!(
        timed_out,
        std::task::Poll::Ready(Err(TimeoutError::TimedOut))
    ));
    assert_eq!(
        panic_message(|| guard.resource()),
        "a context was used whose exit has timed out"
    );
}

#[async_context]
async fn pending_exit() {
    yield_resource!();
    pending().await
}
