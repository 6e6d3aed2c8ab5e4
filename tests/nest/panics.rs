//! A panic in what the library owns (an error, a waker, an exit in the background) is contained. A panic of a
//! destructor in the user's body unwinds as in any Rust code, and no clean-up is lost.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, async_context, async_with, drain, yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::support::{
    Failed, WAYS, forever, logs, logs_outcome, paused, poll_and_drop, step, time_out, using,
};

/// Panics when it is dropped.
struct PanicOnDrop(&'static str);

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        resume_unwind(Box::new(self.0));
    }
}

fn caught(act: impl FnOnce()) -> Option<Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(act)).err()
}

#[track_caller]
fn assert_panics_with(message: &str, act: impl FnOnce()) {
    let payload = caught(act).expect("the call should panic");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&message));
}

/// An error whose destructor may panic.
struct Bomb(u32);

impl std::fmt::Debug for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bomb{}", self.0)
    }
}

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bomb {}", self.0)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 == 1 {
            resume_unwind(Box::new("the destructor of an error"));
        }
    }
}

#[test]
fn a_panic_of_an_errors_destructor_in_the_background_is_reported() {
    let (log, reports) = logs();
    paused().block_on(async {
        time_out(step(log.clone(), "outer", 1).run(async |()| {
            let stack = AsyncExitStack::<Bomb>::new();
            for number in [3, 2, 1] {
                let log = log.clone();
                stack.defer(async move || {
                    yield_once().await;
                    yield_once().await;
                    log.push(format_args!("-{number}"));
                    Err(Bomb(number))
                });
            }
            forever().await;
        }))
        .await;
        drain().await;
    });
    assert_eq!(log.line(), "+outer -1 -2 -3 -outer");
    let reports = reports.take();
    for number in 1..=3 {
        let failed = |it: &&String| it.contains("failed") && it.contains(&number.to_string());
        let count = reports.iter().filter(failed).count();
        assert_eq!(count, 1, "{number}: {reports:?}");
    }
    let panicked = |it: &&String| it.contains("panicked: the destructor of an error");
    assert_eq!(reports.iter().filter(panicked).count(), 1, "{reports:?}");
}

#[test]
fn a_panic_of_the_destructor_of_an_exit_error_is_reported() {
    #[async_context]
    async fn fails(pending: usize) -> Result<(), Bomb> {
        yield_resource!();
        for _ in 0..pending {
            yield_once().await;
        }
        Err(Bomb(1))
    }

    for pending in [0, 3] {
        let (log, reports) = logs();
        paused().block_on(async {
            poll_and_drop(async {
                async_with!(_outer = step(log.clone(), "outer", 1), {
                    let inner = fails(pending).enter().await;
                    forever().await;
                    drop(inner);
                });
            });
            drain().await;
        });
        assert_eq!(log.line(), "+outer -outer", "pending {pending}");
        let reports = reports.take();
        assert!(reports[0].starts_with("fails failed: "), "{reports:?}");
        let panicked = "fails panicked: the destructor of an error";
        assert_eq!(reports[1..], [panicked], "pending {pending}");
    }
}

#[test]
fn the_first_of_several_panics_of_a_body_unwinds() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                resume_unwind(Box::new("the payload"));
            }
        }
    }
    struct LoudPayload;
    impl Drop for LoudPayload {
        fn drop(&mut self) {
            resume_unwind(Box::new(Payload));
        }
    }
    /// Panics in its poll, and again when it is dropped.
    struct Panics {
        _owned: LoudPayload,
    }
    impl Future for Panics {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            resume_unwind(Box::new("the body"));
        }
    }

    // A function, and not an async closure: the future itself has to panic again when it is dropped.
    fn panics(_: &mut ()) -> Panics {
        Panics {
            _owned: LoudPayload,
        }
    }

    let (log, _) = logs();
    let panics = logs_outcome(log.clone(), "it", 0).run(panics);
    assert_panics_with("the body", || block_on(panics));
    assert_eq!(log.line(), "-it(Panicked)");
}

#[test]
fn a_mock_that_asserts_in_its_destructor_fails_its_test() {
    struct Mock;
    impl Drop for Mock {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic_any("expected 2 calls, got 0");
            }
        }
    }

    let (log, _) = logs();
    paused().block_on(async {
        for way in WAYS {
            let body = async {
                let _mock = Mock;
                forever().await;
            };
            let test = time_out(using(way, log.clone(), "it", 2, Box::pin(body)));
            let failed = tokio::spawn(test).await.unwrap_err().into_panic();
            let message = failed.downcast_ref::<&str>();
            assert_eq!(message, Some(&"expected 2 calls, got 0"), "{way:?}");
            drain().await;
            assert_eq!(log.line(), "+it -it", "{way:?}");
        }
    });
}

#[test]
fn a_panic_of_a_destructor_in_a_body_unwinds_after_every_context_is_handed_off() {
    let (log, _) = logs();
    paused().block_on(async {
        let mut whole = Box::pin(async {
            async_with!(
                _a = logs_outcome(log.clone(), "a", 1),
                _b = logs_outcome(log.clone(), "b", 1),
                {
                    let _loud = PanicOnDrop("in the body");
                    forever().await;
                }
            );
        });
        assert!(poll_once(whole.as_mut()).is_pending());
        assert_panics_with("in the body", || drop(whole));
        drain().await;
        assert_eq!(log.line(), "-b(Cancelled) -a(Cancelled)");
    });
}

#[test]
fn a_panic_of_a_destructor_in_a_body_loses_no_cancelled_use() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outermost = step(log.clone(), "outermost", 0), {
            let mut outer = Box::pin(step(log.clone(), "outer", 0).run(async |()| {
                let _loud = PanicOnDrop("in the body");
                let inner = step(log.clone(), "inner", 5);
                inner.run(async |()| forever().await).await;
            }));
            assert!(poll_once(outer.as_mut()).is_pending());
            assert_panics_with("in the body", || drop(outer));
        });
    });
    let expected = "+outermost +outer +inner -inner -outer -outermost";
    assert_eq!(log.line(), expected);
}

#[test]
fn a_panic_of_a_body_unwinds_after_the_uses_that_it_cancelled_have_ended() {
    let (log, _) = logs();
    paused().block_on(async {
        let mut whole = Box::pin(async {
            async_with!(
                _a = logs_outcome(log.clone(), "a", 0),
                _b = logs_outcome(log.clone(), "b", 0),
                {
                    poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
                    resume_unwind(Box::new("the body"));
                }
            );
        });
        let mut polls = 0;
        let payload = loop {
            polls += 1;
            assert!(polls < 100, "the use hangs");
            let polled = catch_unwind(AssertUnwindSafe(|| poll_once(whole.as_mut())));
            match polled {
                Ok(_) => tokio::task::yield_now().await,
                Err(payload) => break payload,
            }
        };
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the body"));
    });
    assert_eq!(log.line(), "+x -x -b(Panicked) -a(Panicked)");
}

#[test]
fn a_panic_of_an_exit_in_the_background_does_not_hold_up_the_outer_exit() {
    #[async_context]
    async fn panics(pending: usize) {
        yield_resource!();
        for _ in 0..pending {
            yield_once().await;
        }
        resume_unwind(Box::new("the exit"));
    }

    for pending in [0, 3] {
        for in_place in [true, false] {
            let (log, reports) = logs();
            paused().block_on(async {
                let outer = step(log.clone(), "outer", 0).run(async |()| {
                    poll_and_drop(panics(pending).run(async |()| forever().await));
                    if !in_place {
                        forever().await;
                    }
                });
                if in_place {
                    outer.await;
                } else {
                    poll_and_drop(outer);
                    drain().await;
                }
            });
            assert_eq!(log.line(), "+outer -outer");
            assert_eq!(reports.line(), "panics panicked: the exit");
        }
    }
}

/// A waker that panics the first time it is used.
#[derive(Default)]
struct PanickingWaker(AtomicUsize);

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            resume_unwind(Box::new("a waker"));
        }
    }
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    let (log, _) = logs();
    paused().block_on(async {
        let gate = Arc::new(tokio::sync::Notify::new());
        let inner = crate::support::gated(log.clone(), "inner", gate.clone());
        let mut whole = Box::pin(step(log.clone(), "outer", 0).run(async |()| {
            poll_and_drop(inner.run(async |()| forever().await));
        }));
        // The use and two drains wait. The first waker that is called panics.
        let bad = Waker::from(Arc::new(PanickingWaker::default()));
        let mut draining = Box::pin(drain());
        assert!(
            whole
                .as_mut()
                .poll(&mut Context::from_waker(&bad))
                .is_pending()
        );
        let polled = draining.as_mut().poll(&mut Context::from_waker(&bad));
        assert!(polled.is_pending());
        let other = tokio::spawn(drain());
        tokio::task::yield_now().await;
        gate.notify_one();
        let timeout = tokio::time::timeout(std::time::Duration::from_secs(1), other);
        timeout
            .await
            .expect("the other drain should be woken")
            .unwrap();
        whole.await;
        draining.await;
    });
    assert_eq!(log.line(), "+outer -inner -outer");
}

#[test]
fn a_panic_of_a_contexts_destructor_does_not_lose_the_error_of_its_exit() {
    #[async_context]
    async fn fails() -> Result<(), &'static str> {
        yield_resource!();
        Err("disk full")
    }

    let (_, reports) = logs();
    let loud = PanicOnDrop("a destructor");
    let mut stack = AsyncExitStack::<&'static str>::new();
    let entry = fails().map_err(move |error| {
        let _ = &loud;
        error
    });
    block_on(stack.enter(entry)).unwrap();
    let closing = || drop(block_on(stack.close(Outcome::Completed)));
    assert_panics_with("a destructor", closing);
    assert_eq!(reports.line(), "fails failed: \"disk full\"", "on a stack");
    drop(stack);

    let loud = PanicOnDrop("a destructor");
    let context = fails().map_err(move |error| {
        let _ = &loud;
        error
    });
    let used = context.with(async |()| Ok::<_, &str>(()));
    assert_panics_with("a destructor", || {
        let _ = block_on(used);
    });
    assert_eq!(reports.line(), "fails failed: \"disk full\"", "alone");
}

#[test]
fn a_panic_of_a_destructor_in_a_scoped_use_passes_its_nest_on() {
    #[async_context(scoped)]
    async fn borrows(_log: &Log) {
        yield_resource!();
    }

    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let mut scoped = Box::pin(borrows(&log).run(async |()| {
                let _loud = PanicOnDrop("in the body");
                poll_and_drop(step(log.clone(), "x", 3).run(async |()| forever().await));
                forever().await;
            }));
            assert!(poll_once(scoped.as_mut()).is_pending());
            assert_panics_with("in the body", || drop(scoped));
        });
    });
    assert_eq!(log.line(), "+outer +x -x -outer");
}

#[test]
fn a_panic_of_one_entry_of_a_dropped_stack_does_not_stop_the_others() {
    let (log, reports) = logs();
    paused().block_on(async {
        let stack = AsyncExitStack::<Failed>::new();
        let _ = stack.enter(step(log.clone(), "a", 1).with_error()).await;
        stack.callback(|| resume_unwind(Box::new("a callback")));
        let _ = stack.enter(step(log.clone(), "c", 1).with_error()).await;
        drop(stack);
        drain().await;
    });
    assert_eq!(log.line(), "+a +c -c -a");
    assert_eq!(reports.take().len(), 1);
}

/// An error whose destructor panics is contained wherever a use, a guard or a stack reports it and drops it.
#[test]
fn a_panic_of_the_destructor_of_an_error_in_place_is_reported() {
    /// Its exit fails. If `leaves`, the use then waits for what the exit dropped.
    #[async_context]
    async fn fails(log: Log, leaves: bool) -> Result<(), Bomb> {
        yield_resource!();
        if leaves {
            poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
        }
        Err(Bomb(1))
    }
    /// Its set-up fails, and the use waits for what the set-up dropped.
    #[async_context]
    async fn fails_to_enter(log: Log) -> Result<(), Bomb> {
        poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));
        if true {
            return Err(Bomb(1));
        }
        yield_resource!();
        Ok(())
    }
    #[async_context]
    async fn slow(log: Log) -> Result<(), Bomb> {
        yield_resource!();
        yield_once().await;
        log.push("-slow");
        Ok(())
    }
    /// Something beside its block fails.
    #[async_context]
    async fn fails_beside(log: Log, polls: usize) -> Result<(), Bomb> {
        yield_resource!((), async {
            for _ in 0..polls {
                yield_once().await;
            }
            Err(Bomb(1))
        });
        yield_once().await;
        log.push("-beside");
        Ok(())
    }
    let leave =
        |log: &Log| poll_and_drop(step(log.clone(), "x", 9).run(async |()| forever().await));

    // How it is used, how often it is polled, the log, and how many errors are reported, each with a panic.
    let cases = [
        ("after the exit", 1, "+x -x", 1),
        ("after the exit of a failed body", 1, "+x -x", 2),
        ("not entered", 1, "+x -x", 1),
        ("a guard not entered", 1, "+x -x", 1),
        ("a guard after its exit", 1, "+x -x", 1),
        ("exiting a failed body", 1, "-slow", 1),
        ("ended beside", 1, "-beside", 1),
        ("late beside", 3, "+x -x -beside", 1),
        ("a failed body", 99, "", 1),
        ("joined", 99, "", 2),
    ];
    for (way, polls, expected, errors) in cases {
        let (log, reports) = logs();
        paused().block_on(async {
            let whole: Pin<Box<dyn Future<Output = ()>>> = match way {
                "after the exit" => Box::pin(async {
                    let _ = fails(log.clone(), true)
                        .with(async |()| Ok::<_, Bomb>(()))
                        .await;
                }),
                "after the exit of a failed body" => Box::pin(async {
                    let fails = fails(log.clone(), true);
                    let _ = fails.with(async |()| Err::<(), _>(Bomb(1))).await;
                }),
                "not entered" => Box::pin(async {
                    let _ = fails_to_enter(log.clone())
                        .with(async |()| Ok::<_, Bomb>(()))
                        .await;
                }),
                "a guard not entered" => Box::pin(async {
                    let _ = fails_to_enter(log.clone()).enter().await;
                }),
                "a guard after its exit" => Box::pin(async {
                    let Ok(guard) = fails(log.clone(), true).enter().await else {
                        unreachable!();
                    };
                    let _ = guard.exit().await;
                }),
                "exiting a failed body" => Box::pin(async {
                    let _ = slow(log.clone())
                        .with(async |()| Err::<(), _>(Bomb(1)))
                        .await;
                }),
                "ended beside" => Box::pin(async {
                    let _ = fails_beside(log.clone(), 0)
                        .with(async |()| {
                            forever().await;
                            Ok::<_, Bomb>(())
                        })
                        .await;
                }),
                "late beside" => Box::pin(async {
                    let used = fails_beside(log.clone(), 1).with(async |()| {
                        leave(&log);
                        Ok::<_, Bomb>(())
                    });
                    let _ = used.await;
                }),
                "a failed body" => Box::pin(async {
                    let used = fails(log.clone(), false).with(async |()| Err::<(), _>(Bomb(2)));
                    assert!(matches!(used.await, Err(Bomb(2))));
                }),
                _ => Box::pin(async {
                    let joined = async {
                        async_with!(
                            join(
                                _a = fails(log.clone(), false)?,
                                _b = fails(log.clone(), false)?
                            ),
                            {
                                Err::<(), _>(Bomb(2))?;
                            }
                        );
                        Ok::<_, Bomb>(())
                    };
                    assert!(matches!(joined.await, Err(Bomb(2))));
                }),
            };
            let mut whole = whole;
            for _ in 0..polls {
                if poll_once(whole.as_mut()).is_ready() {
                    break;
                }
            }
            drop(whole);
            drain().await;
        });
        assert_eq!(log.line(), expected, "{way}");
        let reports = reports.take();
        let panicked = |it: &&String| it.contains("panicked: the destructor of an error");
        assert_eq!(
            reports.iter().filter(panicked).count(),
            errors,
            "{way}: {reports:?}"
        );
        let failed = |it: &&String| it.contains("failed: ");
        assert_eq!(
            reports.iter().filter(failed).count(),
            errors,
            "{way}: {reports:?}"
        );
        assert_eq!(reports.len(), 2 * errors, "{way}: {reports:?}");
    }
}

#[test]
fn the_panic_of_a_body_goes_on_when_the_destructor_of_the_exits_error_panics() {
    #[async_context]
    async fn fails() -> Result<(), Bomb> {
        yield_resource!();
        Err(Bomb(1))
    }

    let (_, reports) = logs();
    let used = fails().with(async |()| -> Result<(), Bomb> { resume_unwind(Box::new("the body")) });
    assert_panics_with("the body", || drop(block_on(used)));
    let expected = [
        "fails failed: bomb 1",
        "fails panicked: the destructor of an error",
    ];
    assert_eq!(reports.take(), expected);
}

#[test]
fn the_panic_of_a_limit_goes_on_when_the_destructor_of_the_exits_error_panics() {
    #[async_context]
    async fn fails() -> Result<(), Bomb> {
        yield_resource!();
        yield_once().await;
        Err(Bomb(1))
    }

    let (_, reports) = logs();
    let limit = async { resume_unwind(Box::new("the limit")) };
    let used = fails()
        .exit_until(limit)
        .try_with(async |()| Ok::<_, ()>(()));
    assert_panics_with("the limit", || drop(block_on(used)));
    let expected = [
        "fails failed: bomb 1",
        "fails panicked: the destructor of an error",
    ];
    assert_eq!(reports.take(), expected);
}
