//! What happens, step by step, to a context whose user is dropped. `matrix` has all cases; these tests show the main
//! ones to a reader.

use std::any::Any;
use std::convert::Infallible;
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use guard_core::{AsyncContext, async_context, async_with, exit_stack, yield_resource};
use guard_tests::{Dropped, Log, poll_once, poll_times, yield_once};

use crate::simulation;

#[async_context]
async fn traced(log: Log) -> Result<Log, Infallible> {
    log.push("entering");
    yield_once().await;
    log.push("entered");
    let mut lent = log.clone();
    let outcome = yield_resource!(lent);
    log.push(format_args!("exiting({outcome:?})"));
    yield_once().await;
    yield_once().await;
    log.push("exited");
    Ok(())
}

/// Uses a traced context, with a body that waits once.
async fn using(log: Log) {
    async_with!(log = traced(log), {
        let _held = Dropped(log.clone(), "held");
        log.push("body");
        yield_once().await;
    });
}

/// What happens in the drop after so many polls, and what in the background after that.
fn dropped_after(polls: usize) -> (String, String) {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin(using(log.clone()));
    assert!(poll_times(future.as_mut(), polls).is_pending());
    log.take();
    drop(future);
    let in_drop = log.line();
    simulation::finish_background();
    (in_drop, log.line())
}

#[test]
fn a_use_that_is_never_polled_runs_nothing() {
    let (in_drop, after) = dropped_after(0);
    assert_eq!(in_drop, "");
    assert_eq!(after, "");
}

#[test]
fn a_use_that_is_dropped_while_entering_is_set_up_then_exited() {
    let (in_drop, after) = dropped_after(1);
    // One poll in place brings it to the first wait of its exit.
    assert_eq!(in_drop, "entered exiting(Cancelled)");
    assert_eq!(after, "exited");
}

#[test]
fn a_use_that_is_dropped_in_its_body_drops_the_body_first() {
    let (in_drop, after) = dropped_after(2);
    assert_eq!(in_drop, "drop(held) exiting(Cancelled)");
    assert_eq!(after, "exited");
}

#[test]
fn a_use_that_is_dropped_while_exiting_goes_on_with_the_same_exit() {
    let (in_drop, after) = dropped_after(3);
    assert_eq!(in_drop, "", "one poll in place, to the second wait");
    assert_eq!(after, "exited");
}

#[test]
fn a_use_that_is_dropped_before_its_last_poll_is_finished_in_place() {
    let (in_drop, after) = dropped_after(4);
    assert_eq!(in_drop, "exited");
    assert_eq!(after, "");
}

#[test]
fn a_guard_that_is_dropped_is_exited_in_the_background() {
    simulation::install();
    let log = Log::new();
    let mut entering = Box::pin(traced(log.clone()).enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    let Poll::Ready(Ok(guard)) = poll_once(entering.as_mut()) else {
        panic!("it enters in two polls");
    };
    log.take();
    drop(guard);
    assert_eq!(log.line(), "exiting(Cancelled)");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
}

#[test]
fn a_guard_that_is_dropped_while_entering_is_set_up_then_exited() {
    simulation::install();
    let log = Log::new();
    let mut entering = Box::pin(traced(log.clone()).enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    drop(entering);
    simulation::finish_background();
    assert_eq!(log.line(), "entering entered exiting(Cancelled) exited");
}

#[test]
fn a_guard_that_is_dropped_while_exiting_goes_on_with_the_same_exit() {
    simulation::install();
    let log = Log::new();
    let guard = guard_tests::block_on(traced(log.clone()).enter()).unwrap();
    let mut exiting = Box::pin(guard.exit());
    assert!(poll_once(exiting.as_mut()).is_pending());
    drop(exiting);
    simulation::finish_background();
    assert_eq!(
        log.line(),
        "entering entered exiting(Completed) exited",
        "it was told once how its use ended, and that stands"
    );
}

#[test]
fn nested_uses_are_finished_from_the_inside_out() {
    #[async_context]
    async fn level(log: Log, name: &'static str) -> Result<(), Infallible> {
        yield_resource!();
        log.push(format_args!("exiting {name}"));
        yield_once().await;
        yield_once().await;
        log.push(format_args!("exited {name}"));
        Ok(())
    }

    simulation::install();
    let log = Log::new();
    let mut future = Box::pin({
        let log = log.clone();
        async move {
            async_with!(_outer = level(log.clone(), "outer"), {
                async_with!(_inner = level(log.clone(), "inner"), {
                    std::future::pending::<()>().await;
                });
            });
        }
    });
    assert!(poll_once(future.as_mut()).is_pending());
    drop(future);
    assert_eq!(log.line(), "exiting inner", "the outer one has to wait");
    assert_eq!(
        simulation::background_tasks(),
        2,
        "each is a clean-up of its own, and polled once where it is dropped"
    );
    simulation::finish_background();
    assert_eq!(log.line(), "exited inner exiting outer exited outer");
}

#[test]
fn an_exit_waits_for_a_use_that_was_dropped_in_its_block() {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin({
        let log = log.clone();
        async move {
            async_with!(_outer = traced(log.clone())?, {
                {
                    let mut inner = Box::pin(using(log.clone()));
                    assert!(poll_times(inner.as_mut(), 2).is_pending());
                    log.take();
                }
                log.push("next");
            });
            Ok::<_, Infallible>(())
        }
    });
    assert!(poll_times(future.as_mut(), 2).is_pending());
    assert_eq!(log.line(), "drop(held) exiting(Cancelled) next");
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(log.line(), "", "the inner one is not over");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(log.line(), "exiting(Completed)");
    assert!(poll_times(future.as_mut(), 2).is_ready());
    assert_eq!(log.line(), "exited");
}

#[test]
fn a_use_that_is_dropped_while_it_waits_is_told_how_its_block_ended() {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin({
        let log = log.clone();
        async move {
            async_with!(_outer = traced(log.clone())?, {
                let mut inner = Box::pin(using(log.clone()));
                assert!(poll_times(inner.as_mut(), 2).is_pending());
            });
            Ok::<_, Infallible>(())
        }
    });
    assert!(poll_times(future.as_mut(), 2).is_pending());
    log.take();
    drop(future);
    assert_eq!(log.line(), "");
    simulation::finish_background();
    assert_eq!(log.line(), "exited exiting(Completed) exited");
}

#[test]
fn an_entry_that_waits_when_its_stack_is_dropped_is_told_how_the_block_ended() {
    /// Its set-up drops a use whose clean-up goes on.
    #[async_context]
    async fn leaves_a_clean_up(log: Log) -> Result<(), Infallible> {
        {
            let mut inner = Box::pin(using(Log::new()));
            assert!(poll_times(inner.as_mut(), 2).is_pending());
        }
        let outcome = yield_resource!();
        log.push(format_args!("upper exits({outcome:?})"));
        Ok(())
    }

    simulation::install();
    let log = Log::new();
    let mut future = Box::pin({
        let log = log.clone();
        async move {
            async_with!(stack = exit_stack::<Infallible>()?, {
                stack.enter(traced(log.clone())).await?;
                stack.enter(leaves_a_clean_up(log.clone())).await?;
            });
            Ok::<_, Infallible>(())
        }
    });
    assert!(poll_times(future.as_mut(), 2).is_pending());
    log.take();
    drop(future);
    assert_eq!(log.line(), "");
    simulation::finish_background();
    let line = "upper exits(Completed) exiting(Cancelled) exited";
    assert_eq!(log.line(), line, "the entry below had not begun to wait");
}

/// A context whose exit drops a use whose clean-up goes on, and waits once after that.
#[async_context]
async fn cancels_in_its_exit(log: Log) -> Result<(), Infallible> {
    yield_resource!();
    {
        let mut inner = Box::pin(using(log.clone()));
        assert!(poll_times(inner.as_mut(), 2).is_pending());
        log.take();
    }
    yield_once().await;
    log.push("outer has exited");
    Ok(())
}

#[test]
fn the_exit_of_a_guard_goes_on_before_what_was_dropped_in_it_is_over() {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin({
        let log = log.clone();
        async move {
            let guard = cancels_in_its_exit(log.clone()).enter().await?;
            guard.exit().await
        }
    });
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(log.line(), "drop(held) exiting(Cancelled)");
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(log.line(), "outer has exited");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
    assert!(poll_once(future.as_mut()).is_ready());
}

#[test]
fn an_exit_that_is_handed_off_goes_on_before_what_was_dropped_in_it_is_over() {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin(cancels_in_its_exit(log.clone()).run(async |()| ()));
    assert!(poll_once(future.as_mut()).is_pending());
    log.take();
    drop(future);
    assert_eq!(log.line(), "outer has exited");
    simulation::finish_background();
    assert_eq!(log.line(), "exited");
}

#[test]
fn a_use_that_is_dropped_while_entering_is_waited_for_by_nobody() {
    #[async_context]
    async fn entered_when_told(log: Log, go_on: Arc<tokio::sync::Notify>) {
        go_on.notified().await;
        log.push("inner entered");
        yield_resource!();
        log.push("inner exited");
    }

    simulation::install();
    let (log, go_on) = (Log::new(), Arc::new(tokio::sync::Notify::new()));
    let mut future = Box::pin({
        let (log, go_on) = (log.clone(), go_on.clone());
        async move {
            async_with!(_outer = traced(log.clone())?, {
                entered_when_told(log, go_on).run(async |()| ()).await;
            });
            Ok::<_, Infallible>(())
        }
    });
    assert!(poll_times(future.as_mut(), 2).is_pending());
    log.take();
    drop(future);
    assert_eq!(log.line(), "exiting(Cancelled)");
    // The set-up would wait for ever if it waited for what the outer one holds.
    go_on.notify_one();
    simulation::finish_background();
    let line = log.line();
    assert!(line.contains("inner entered inner exited"), "{line}");
    assert!(line.contains("exited"), "{line}");
}

/// Never drops it, but keeps it where a leak detector finds it.
fn forget(it: impl Send + 'static) {
    static KEPT: Mutex<Vec<Box<dyn Any + Send>>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(Box::new(ManuallyDrop::new(it)));
}

#[test]
fn a_forgotten_use_or_guard_runs_nothing() {
    simulation::install();
    let log = Log::new();
    let mut future = Box::pin(using(log.clone()));
    assert!(poll_times(future.as_mut(), 2).is_pending());
    assert_eq!(log.line(), "entering entered body");
    forget(future);
    simulation::finish_background();
    assert_eq!(log.line(), "");

    let guard = guard_tests::block_on(traced(log.clone()).enter()).unwrap();
    assert_eq!(log.line(), "entering entered");
    forget(guard);
    simulation::finish_background();
    assert_eq!(log.line(), "");
}

/// Counts its polls, and is never over.
struct Counting(Arc<AtomicUsize>);

impl Future for Counting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }
}

#[test]
fn an_exit_is_polled_once_in_place() {
    #[async_context]
    async fn counting(polls: Arc<AtomicUsize>) {
        yield_resource!();
        Counting(polls).await;
    }

    simulation::install();
    let polls = Arc::new(AtomicUsize::new(0));
    let guard = guard_tests::block_on(counting(polls.clone()).enter()).unwrap();
    drop(guard);
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    assert_eq!(simulation::background_tasks(), 1);
    simulation::drop_background();
}

#[test]
fn an_exit_that_is_over_at_once_is_not_handed_on() {
    #[async_context]
    async fn quick(log: Log) {
        yield_resource!();
        log.push("exited");
    }

    simulation::install();
    let log = Log::new();
    drop(guard_tests::block_on(quick(log.clone()).enter()).unwrap());
    assert_eq!(log.line(), "exited");
    assert_eq!(simulation::background_tasks(), 0);
}

#[test]
fn what_a_scoped_context_holds_is_dropped_where_it_stands() {
    #[async_context(scoped)]
    async fn scoped_here(log: &Log) {
        let _held = Dropped(log.clone(), "held");
        yield_resource!();
        log.push("exited");
    }

    simulation::install();
    let log = Log::new();
    {
        let mut future = pin!(scoped_here(&log).run(async |()| {
            let _body = Dropped(log.clone(), "body");
            std::future::pending::<()>().await;
        }));
        assert!(poll_once(future.as_mut()).is_pending());
    }
    assert_eq!(log.line(), "drop(body) drop(held)");
    let reports = simulation::reports_containing("scoped_here");
    assert_eq!(reports.len(), 1, "{reports:?}");
}
