//! `guard_core::testing`: what it proves, and what it says when something is wrong.

mod contexts;
mod laws;

use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures::FutureExt;
use guard_core::testing::{Cut, cancel_at_every_poll, reports};
use guard_core::{AsyncContext, async_context, async_with, drain, settled, yield_resource};
use guard_tests::{Log, payload_message, yield_once};
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

/// Real time, for what waits in vain.
const SHORT: Duration = Duration::from_millis(20);

/// The message of the panic with which the future ends.
async fn panics<T>(future: impl Future<Output = T>) -> String {
    let ended = AssertUnwindSafe(future).catch_unwind().await;
    payload_message(ended.map(drop).unwrap_err())
}

#[async_context]
async fn locked(lock: Arc<Mutex<()>>) {
    let held = lock.lock_owned().await;
    yield_resource!();
    yield_once().await;
    drop(held);
}

#[async_context]
async fn failing(number: u32) -> Result<u32, String> {
    let mut number = number;
    yield_resource!(number);
    yield_once().await;
    Err(format!("failed {number}"))
}

/// Takes the lock, and releases it only at its own end: if it is cancelled, it keeps the lock.
async fn leaks(lock: &AtomicBool) -> &'static str {
    yield_once().await;
    lock.store(true, Relaxed);
    yield_once().await;
    yield_once().await;
    lock.store(false, Relaxed);
    yield_once().await;
    "ended"
}

async fn proves_that_a_context_does_not_leak() {
    let lock = Arc::new(Mutex::new(()));
    let cuts = Rc::new(AtomicUsize::new(0));
    let using = || locked(lock.clone()).run(async |()| yield_once().await);
    let value = cancel_at_every_poll(
        async || {
            using().await;
            "ended"
        },
        async |_| {
            cuts.fetch_add(1, Relaxed);
            assert!(lock.try_lock().is_ok(), "the lock is held");
        },
    )
    .await;
    assert_eq!(value, "ended");
    // Before each of its three polls, and at its end.
    assert_eq!(cuts.load(Relaxed), 4);
}

#[tokio::test]
async fn a_context_does_not_leak_on_one_thread() {
    proves_that_a_context_does_not_leak().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_context_does_not_leak_on_several_threads() {
    proves_that_a_context_does_not_leak().await;
}

#[test]
fn a_context_does_not_leak_without_a_runtime() {
    futures::executor::block_on(cancel_at_every_poll(
        || async {
            for _ in 0..3 {
                yield_once().await;
            }
        },
        async |_| {},
    ));
}

#[tokio::test]
async fn the_first_poll_after_which_something_leaks_is_named() {
    let lock = AtomicBool::new(false);
    let message = panics(cancel_at_every_poll(
        || leaks(&lock),
        async |_| assert!(!lock.load(Relaxed), "the lock is held"),
    ))
    .await;
    let (place, message) = message.split_once(": ").unwrap();
    assert!(place.contains("tests/behavior/testing.rs:"), "{place}");
    assert_eq!(
        message,
        "cut after 2 polls: the check failed: the lock is held\nnothing was reported until then"
    );
}

#[tokio::test]
async fn a_check_may_return_an_error() {
    let message = panics(cancel_at_every_poll(yield_once, async |cut| {
        if cut.polls() == 1 {
            Err("left")
        } else {
            Ok(())
        }
    }))
    .await;
    assert!(
        message.contains("cut after 1 poll: the check failed: \"left\"\n"),
        "{message}"
    );
}

#[tokio::test]
async fn a_cut_has_the_reports_until_then() {
    let _quiet = reports();
    let seen = Log::new();
    let used = || {
        failing(1).with(async |_| {
            yield_once().await;
            Ok::<_, String>(())
        })
    };
    let message = panics(cancel_at_every_poll(used, async |cut| {
        let errors: Vec<_> = cut
            .reports()
            .iter()
            .map(|report| report.error().unwrap())
            .collect();
        seen.push(format_args!("{}:{errors:?}", cut.polls()));
        assert!(cut.reports().is_empty(), "something was reported");
    }))
    .await;
    assert_eq!(seen.line(), r#"0:[] 1:["failed 1"]"#);
    let (first, report) = message.split_once("\nreported until then:\n").unwrap();
    assert!(first.ends_with("cut after 1 poll: the check failed: something was reported"));
    assert!(
        report.contains("failing") && report.ends_with(": failed 1"),
        "{report}"
    );
}

#[tokio::test]
async fn a_future_is_polled_only_when_it_was_woken() {
    let polls = AtomicUsize::new(0);
    let notify = Notify::new();
    let waits = || async {
        let mut notified = std::pin::pin!(notify.notified());
        let (polls, notify) = (&polls, &notify);
        std::future::poll_fn(move |cx| {
            polls.fetch_add(1, Relaxed);
            notified.as_mut().poll(cx)
        })
        .await;
        let _ = notify;
    };
    let notifies = async {
        loop {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            notify.notify_one();
        }
    };
    let proof = cancel_at_every_poll(waits, async |_| {});
    tokio::select! {
        () = proof => {}
        () = notifies => {}
    }
    // Cut after the first poll, cut when it was woken, and once to its end.
    assert!(polls.load(Relaxed) <= 4, "{polls:?}");
}

#[tokio::test]
async fn a_woken_future_is_also_dropped_before_its_next_poll() {
    // A permit that was handed over in the wake-up, and is lost if nobody gives it back.
    let cuts = Log::new();
    cancel_at_every_poll(
        || sleep(Duration::from_millis(1)),
        async |cut: Cut| cuts.push(format_args!("[{cut}|{}]", cut.was_woken())),
    )
    .await;
    assert_eq!(
        cuts.line(),
        "[after 0 polls|false] [after 1 poll|false] \
         [after 1 poll, when it was woken for the next|true] [at its end, after 2 polls|false]"
    );
}

#[tokio::test]
async fn a_wake_up_that_gets_lost_is_found() {
    // Wakes one of those who wait, who does not pass it on if it is dropped.
    #[derive(Default)]
    struct Gate {
        open: AtomicBool,
        given: Arc<AtomicBool>,
    }
    struct Waits<'a>(&'a Gate);
    impl Future for Waits<'_> {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            if self.0.given.swap(false, Relaxed) {
                self.0.open.store(true, Relaxed);
                return std::task::Poll::Ready(());
            }
            if self.0.open.swap(false, Relaxed) {
                let (given, waker) = (self.0.given.clone(), cx.waker().clone());
                tokio::spawn(async move {
                    given.store(true, Relaxed);
                    waker.wake();
                });
            }
            std::task::Poll::Pending
        }
    }
    let gate = Gate {
        open: AtomicBool::new(true),
        ..Gate::default()
    };
    let message = panics(cancel_at_every_poll(
        || Waits(&gate),
        async |cut| {
            let is_given = cut.polls() == 1 && cut.was_woken() && gate.given.load(Relaxed);
            assert!(!is_given, "what was given to it is lost");
            gate.given.store(false, Relaxed);
            gate.open.store(true, Relaxed);
        },
    ))
    .await;
    assert!(
        message.contains("after 1 poll, when it was woken for the next"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn with_a_paused_clock_a_long_sleep_takes_no_time() {
    let lock = Arc::new(Mutex::new(()));
    let began = std::time::Instant::now();
    cancel_at_every_poll(
        || locked(lock.clone()).run(async |()| sleep(Duration::from_secs(3600)).await),
        async |_| assert!(lock.try_lock().is_ok(), "the lock is held"),
    )
    .await;
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_future_or_a_check_that_never_ends_is_given_up() {
    async fn busy() {
        loop {
            yield_once().await;
        }
    }
    let message = panics(cancel_at_every_poll(busy, async |_| {}).max_polls(10)).await;
    assert!(
        message.contains("after 10 polls: it has not ended, and may take 10 polls"),
        "{message}"
    );

    let stalled = cancel_at_every_poll(pending::<()>, async |_| {}).patience(SHORT);
    let message = panics(stalled).await;
    assert!(
        message.contains("after 1 poll: it was not woken for 20ms"),
        "{message}"
    );

    let stalled = cancel_at_every_poll(yield_once, async |_| pending::<()>().await).patience(SHORT);
    let message = panics(stalled).await;
    assert!(
        message.contains("after 0 polls: the check did not go on for 20ms"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_future_that_never_ends_is_given_up_also_with_a_paused_clock() {
    let stalled = cancel_at_every_poll(pending::<()>, async |_| {}).patience(SHORT);
    let message = panics(stalled).await;
    assert!(message.contains("it was not woken for 20ms"), "{message}");
}

#[tokio::test]
async fn a_clean_up_that_never_ends_is_named() {
    #[async_context]
    async fn hangs(gate: Arc<Notify>) {
        yield_resource!();
        gate.notified().await;
    }
    let gate = Arc::new(Notify::new());
    let used = || hangs(gate.clone()).run(async |()| yield_once().await);
    let message = panics(cancel_at_every_poll(used, async |_| {}).patience(SHORT)).await;
    assert!(
        message.contains("after 1 poll: its clean-up did not go on for 20ms"),
        "{message}"
    );
    assert!(message.contains("::hangs"), "{message}");
    gate.notify_one();
    drain().await;
}

#[tokio::test]
async fn a_panic_of_the_future_or_of_its_destructor_is_named() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let message = panics(cancel_at_every_poll(
        || async {
            yield_once().await;
            panic!("polled");
        },
        async |_| {},
    ))
    .await;
    assert!(
        message.contains("after 1 poll: its next poll panicked: polled"),
        "{message}"
    );
    let message = panics(cancel_at_every_poll(
        || async {
            let bomb = Bomb;
            yield_once().await;
            std::mem::forget(bomb);
        },
        async |_| {},
    ))
    .await;
    assert!(
        message.contains("after 1 poll: to drop it panicked: dropped"),
        "{message}"
    );
}

#[tokio::test]
async fn tasks_that_the_future_aborts_are_dropped_before_the_check() {
    let lock = Arc::new(Mutex::new(()));
    cancel_at_every_poll(
        || async {
            let mut tasks = tokio::task::JoinSet::new();
            let lock = lock.clone();
            tasks.spawn(async move {
                async_with!(_lock = locked(lock), {
                    yield_once().await;
                });
            });
            tasks.join_next().await.unwrap().unwrap();
        },
        async |_| assert!(lock.try_lock().is_ok(), "the lock is held"),
    )
    .await;
}

#[tokio::test]
async fn cancel_at_every_poll_inside_another_use_waits_for_its_own_clean_ups() {
    let lock = Arc::new(Mutex::new(()));
    let outer = Arc::new(Mutex::new(()));
    async_with!(_outer = locked(outer), {
        settled(async {
            cancel_at_every_poll(
                || locked(lock.clone()).run(async |()| yield_once().await),
                async |_| assert!(lock.try_lock().is_ok(), "the lock is held"),
            )
            .await;
        })
        .await;
    });
}

/// What a test sees that reports one error of its own, beside others that do the same.
async fn sees_its_own(number: u32) {
    let reports = reports();
    let used = failing(number).with(async |_| Err::<(), _>("body".to_owned()));
    assert_eq!(used.await, Err("body".into()));
    // In the background too.
    let cancelled = failing(number + 1).with(async |_| pending::<Result<(), String>>().await);
    assert!(timeout(Duration::from_millis(1), cancelled).await.is_err());
    drain().await;
    let reported = reports.take();
    let errors: Vec<_> = reported
        .iter()
        .map(|report| report.error().unwrap())
        .collect();
    assert_eq!(
        errors,
        [format!("failed {number}"), format!("failed {}", number + 1)]
    );
    assert!(reported[0].name().ends_with("::failing"));
    reports.assert_none();
}

#[test]
fn tests_that_run_at_once_see_their_own_reports() {
    let threads: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let mut builder = if number % 2 == 0 {
                    tokio::runtime::Builder::new_current_thread()
                } else {
                    tokio::runtime::Builder::new_multi_thread()
                };
                let runtime = builder.worker_threads(2).enable_time().build().unwrap();
                runtime.block_on(async {
                    for round in 0..20 {
                        sees_its_own(1000 * number + 10 * round).await;
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_report_that_no_collector_takes_goes_to_the_reporter() {
    crate::reports::collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let fail = || failing(1).with(async |_| Err::<(), _>("body".to_owned()));
    let collected = runtime.block_on(async { reports() });
    other.block_on(fail()).unwrap_err();
    assert_eq!(crate::reports::take(), ["Failed(failed 1)"]);
    collected.assert_none();
    runtime.block_on(fail()).unwrap_err();
    assert_eq!(collected.take().len(), 1);
    drop(collected);
    assert!(crate::reports::take().is_empty());
    runtime.block_on(fail()).unwrap_err();
    assert_eq!(crate::reports::take(), ["Failed(failed 1)"]);
}

#[test]
fn a_report_belongs_to_the_runtime_in_which_its_context_was_entered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let collected = runtime.block_on(async { reports() });
    let guard = runtime.block_on(failing(1).enter()).unwrap();
    // Dropped where there is no runtime.
    drop(guard);
    runtime.block_on(drain());
    assert_eq!(collected.take()[0].error(), Some("failed 1"));
    // And what is given up because the runtime ends.
    let guard = runtime.block_on(failing(2).enter()).unwrap();
    drop(guard);
    drop(runtime);
    let reported = collected.take();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].error(), Some("failed 2"));
}

#[tokio::test]
async fn reports_of_local_contexts_belong_to_their_runtime() {
    #[async_context(local)]
    async fn failing_locally() -> Result<(), String> {
        yield_resource!();
        yield_once().await;
        Err("failed locally".into())
    }
    let reports = reports();
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            drop(failing_locally().enter().await);
            drain().await;
        })
        .await;
    let reported = reports.take();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].error(), Some("failed locally"));
}

#[test]
fn reports_outside_a_runtime_belong_to_their_thread() {
    let reports = reports();
    let fail = || failing(1).with(async |_| Err::<(), _>("body".to_owned()));
    guard_tests::block_on(fail()).unwrap_err();
    assert_eq!(reports.take().len(), 1);
    let other = std::thread::spawn(move || {
        let others = guard_core::testing::reports();
        guard_tests::block_on(fail()).unwrap_err();
        others.take().len()
    });
    assert_eq!(other.join().unwrap(), 1);
    reports.assert_none();
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_printed_harms_nobody() {
    struct Unprintable;
    impl std::fmt::Debug for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("printed")
        }
    }
    #[async_context]
    async fn unprintable() -> Result<(), Unprintable> {
        yield_resource!();
        Err(Unprintable)
    }
    let reports = reports();
    let used = unprintable()
        .with(async |()| Err::<(), _>(Unprintable))
        .await;
    assert!(used.is_err());
    let reported = reports.take();
    assert_eq!(reported.len(), 1, "{reported:?}");
    let error = reported[0].error().unwrap_or_default();
    assert!(error.ends_with("(to print this error failed)"), "{error}");
}

#[tokio::test]
async fn the_panic_of_assert_none_has_the_reports() {
    let reports = reports();
    let used = failing(7).with(async |_| Err::<(), _>("body".to_owned()));
    used.await.unwrap_err();
    let message = panics(async { reports.assert_none() }).await;
    assert!(message.starts_with("reported:\n  context `"), "{message}");
    assert!(message.ends_with("failed 7"), "{message}");
}
