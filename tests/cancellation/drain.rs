//! `drain()` and `pending_cleanups()`, which count the whole process: hence each test in its own.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use guard_core::{AsyncContext, async_context, drain, pending_cleanups, yield_resource};
use guard_tests::{CountingWaker, Log, block_on, poll_once, yield_once};
use tokio::sync::Notify;

use crate::own_process::in_own_process;
use crate::simulation;

/// Ends its clean-up when it is told to.
#[async_context]
async fn slow(log: Log, end: Arc<Notify>) {
    yield_resource!();
    end.notified().await;
    log.push("exited");
}

/// Puts one clean-up in the background.
fn put(log: &Log) -> Arc<Notify> {
    let end = Arc::new(Notify::new());
    drop(block_on(slow(log.clone(), end.clone()).enter()));
    end
}

#[test]
fn pending_cleanups_counts_what_is_in_the_background() {
    in_own_process(|| {
        simulation::install();
        let log = Log::new();
        assert_eq!(pending_cleanups().len(), 0);
        let first = put(&log);
        let second = put(&log);
        assert_eq!(pending_cleanups().len(), 2);
        first.notify_one();
        second.notify_one();
        simulation::finish_background();
        assert_eq!(pending_cleanups().len(), 0);
        assert_eq!(log.line(), "exited exited");
    });
}

#[test]
fn pending_cleanups_counts_a_clean_up_that_waits() {
    in_own_process(|| {
        simulation::install();
        let (log, end) = (Log::new(), Arc::new(Notify::new()));
        let mut using = Box::pin(slow(log.clone(), end.clone()).run(async |()| {
            let inner = slow(log.clone(), end.clone());
            inner
                .run(async |()| std::future::pending::<()>().await)
                .await
        }));
        assert!(poll_once(using.as_mut()).is_pending());
        drop(using);
        assert_eq!(pending_cleanups().len(), 2);
        simulation::drop_background();
        assert_eq!(pending_cleanups().len(), 0);
    });
}

#[test]
fn is_ready_at_once_when_there_is_nothing() {
    in_own_process(|| {
        assert!(poll_once(pin!(drain())).is_ready());
    });
}

#[test]
fn waits_for_clean_ups_that_start_while_it_waits() {
    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let log = Log::new();
            let enter = async || {
                let end = Arc::new(Notify::new());
                drop(slow(log.clone(), end.clone()).enter().await);
                end
            };
            let first = enter().await;
            let mut draining = pin!(drain());
            assert!(poll_once(draining.as_mut()).is_pending());
            let second = enter().await;
            first.notify_one();
            while pending_cleanups().len() > 1 {
                tokio::task::yield_now().await;
            }
            assert!(poll_once(draining.as_mut()).is_pending());
            second.notify_one();
            draining.await;
            assert_eq!(log.line(), "exited exited");
        });
    });
}

#[test]
fn waits_for_clean_ups_that_a_clean_up_starts() {
    #[async_context]
    async fn starts_another(log: Log, end: Arc<Notify>) {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        drop(slow(log, end).enter().await);
    }

    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (log, end) = (Log::new(), Arc::new(Notify::new()));
            drop(starts_another(log.clone(), end.clone()).enter().await);
            end.notify_one();
            drain().await;
            assert_eq!(log.line(), "exited");
            assert_eq!(pending_cleanups().len(), 0);
        });
    });
}

#[test]
fn is_woken_by_the_last_clean_up_only_through_its_newest_waker() {
    in_own_process(|| {
        simulation::install();
        let end = put(&Log::new());
        let wakers = [CountingWaker::new(), CountingWaker::new()];
        let mut draining = pin!(drain());
        for waker in &wakers {
            let waker = Waker::from(waker.clone());
            let polled = draining.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        end.notify_one();
        simulation::finish_background();
        assert_eq!(wakers[1].take(), 1);
        assert!(poll_once(draining).is_ready());
    });
}

#[test]
fn dropping_it_changes_nothing() {
    in_own_process(|| {
        simulation::install();
        let log = Log::new();
        let end = put(&log);
        {
            let mut draining = Box::pin(drain());
            assert!(poll_once(draining.as_mut()).is_pending());
        }
        assert_eq!(pending_cleanups().len(), 1);
        end.notify_one();
        simulation::finish_background();
        assert_eq!(log.line(), "exited");
        assert!(poll_once(pin!(drain())).is_ready());
    });
}

#[test]
fn several_may_wait() {
    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let end = Arc::new(Notify::new());
            drop(slow(Log::new(), end.clone()).enter().await);
            let end_it = async { end.notify_one() };
            futures::join!(drain(), drain(), end_it);
        });
    });
}

#[test]
fn finds_the_report_sent() {
    #[async_context]
    async fn fails_in_the_end() -> Result<(), std::fmt::Error> {
        yield_resource!();
        yield_once().await;
        yield_once().await;
        Err(std::fmt::Error)
    }

    in_own_process(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        simulation::install();
        for round in 1..=100 {
            runtime.block_on(async {
                let guard = fails_in_the_end().enter().await.unwrap();
                drop(guard);
                drain().await;
            });
            assert_eq!(
                simulation::reports_containing("fails_in_the_end").len(),
                round
            );
        }
    });
}

#[test]
fn is_the_last_line_of_main() {
    #[async_context]
    async fn told_at_the_end() {
        yield_resource!();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        eprintln!("cleaned up");
    }

    #[tokio::main]
    async fn program() {
        tokio::spawn(async {
            drop(told_at_the_end().enter().await);
        })
        .await
        .unwrap();
        drain().await;
    }

    // It is the closure that knows the test's name.
    #[allow(clippy::redundant_closure)]
    let stderr = in_own_process(|| program());
    assert!(stderr.contains("cleaned up"), "{stderr}");
    assert!(!stderr.contains("abandoned"), "{stderr}");
}
