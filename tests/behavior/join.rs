//! `join(…)` in `async_with!`: contexts that are entered concurrently and exited concurrently.

use std::future::{pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures::FutureExt;
use guard_core::{Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::reports;

/// A gate that tasks wait for. To open it wakes nobody.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Gate {
    fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    async fn passed(&self) {
        poll_fn(|_| {
            if self.0.load(Ordering::Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// How one of the joined contexts behaves.
#[derive(Clone, Default)]
struct Side {
    enter: Gate,
    exit: Gate,
    enter_fails: bool,
    exit_fails: bool,
    panics: Option<&'static str>,
}

impl Side {
    fn open() -> Self {
        let side = Self::default();
        side.enter.open();
        side.exit.open();
        side
    }
}

#[async_context]
async fn side(log: Log, name: &'static str, side: Side) -> Result<&'static str, String> {
    log.push(format_args!("enter({name})"));
    side.enter.passed().await;
    if side.enter_fails {
        return Err(format!("enter {name}"));
    }
    if side.panics == Some("enter") {
        std::panic::panic_any("enter");
    }
    log.push(format_args!("entered({name})"));
    let mut lent = name;
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({name}, {outcome:?})"));
    side.exit.passed().await;
    log.push(format_args!("exited({name})"));
    if side.panics == Some("exit") {
        std::panic::panic_any("exit");
    }
    if side.exit_fails {
        Err(format!("exit {name}"))
    } else {
        Ok(())
    }
}

async fn used(log: Log, a: Side, b: Side) -> Result<(), String> {
    async_with!(
        join(
            a = side(log.clone(), "a", a)?,
            b = side(log.clone(), "b", b)?
        ),
        {
            log.push(format_args!("body({a}, {b})"));
        }
    );
    Ok(())
}

#[test]
fn joined_contexts_enter_concurrently_and_exit_concurrently() {
    let log = Log::new();
    let (a, b) = (Side::default(), Side::default());
    let mut using = Box::pin(used(log.clone(), a.clone(), b.clone()));
    assert!(poll_once(using.as_mut()).is_pending());
    assert_eq!(log.line(), "enter(a) enter(b)");
    b.enter.open();
    assert!(poll_once(using.as_mut()).is_pending());
    assert_eq!(log.line(), "entered(b)");
    a.enter.open();
    assert!(poll_once(using.as_mut()).is_pending());
    assert_eq!(
        log.line(),
        "entered(a) body(a, b) exit(b, Completed) exit(a, Completed)"
    );
    a.exit.open();
    assert!(poll_once(using.as_mut()).is_pending());
    assert_eq!(log.line(), "exited(a)");
    b.exit.open();
    assert_eq!(poll_once(using.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(log.line(), "exited(b)");
}

#[test]
fn each_context_gets_the_outcome_of_the_body() {
    async fn failing(log: Log) -> Result<(), String> {
        async_with!(
            join(
                _a = side(log.clone(), "a", Side::open())?,
                _b = side(log.clone(), "b", Side::open())?,
            ),
            {
                log.take();
                Err("body".to_string())?;
            }
        );
        Ok(())
    }
    async fn panicking(log: Log) -> Result<(), String> {
        async_with!(
            join(
                _a = side(log.clone(), "a", Side::open())?,
                _b = side(log.clone(), "b", Side::open())?,
            ),
            {
                log.take();
                std::panic::panic_any("body");
            }
        );
        Ok(())
    }

    let log = Log::new();
    assert_eq!(block_on(failing(log.clone())), Err("body".into()));
    assert_eq!(
        log.line(),
        "exit(b, Failed(())) exited(b) exit(a, Failed(())) exited(a)"
    );
    assert!(block_on(AssertUnwindSafe(panicking(log.clone())).catch_unwind()).is_err());
    assert_eq!(
        log.line(),
        "exit(b, Panicked) exited(b) exit(a, Panicked) exited(a)"
    );
}

#[test]
fn when_one_context_fails_to_enter_the_other_is_exited() {
    for failing in ["a", "b"] {
        let log = Log::new();
        let (mut a, mut b) = (Side::default(), Side::default());
        let (failed, other) = if failing == "a" {
            (&mut a, &mut b)
        } else {
            (&mut b, &mut a)
        };
        failed.enter_fails = true;
        let (failed, other) = (failed.clone(), other.clone());
        let mut using = Box::pin(used(log.clone(), a, b));
        failed.enter.open();
        assert!(poll_once(using.as_mut()).is_pending());
        log.take();
        // A context that is still entering enters first, and then exits.
        other.enter.open();
        assert!(poll_once(using.as_mut()).is_pending());
        let name = if failing == "a" { "b" } else { "a" };
        assert_eq!(
            log.line(),
            format!("entered({name}) exit({name}, Failed(()))")
        );
        other.exit.open();
        let failed = Poll::Ready(Err(format!("enter {failing}")));
        assert_eq!(poll_once(using.as_mut()), failed);
        assert_eq!(log.line(), format!("exited({name})"));
    }
}

#[test]
fn the_first_of_two_errors_is_returned_and_the_other_reported() {
    reports::collect();
    let fails = |enter_fails, exit_fails| Side {
        enter_fails,
        exit_fails,
        ..Side::open()
    };
    let both = |a, b| block_on(used(Log::new(), a, b)).unwrap_err();

    assert_eq!(both(fails(true, false), fails(true, false)), "enter a");
    assert_eq!(reports::take(), ["SetUpFailed(enter b)"]);
    assert_eq!(both(fails(true, false), fails(false, true)), "enter a");
    assert_eq!(reports::take(), ["Failed(exit b)"]);
    assert_eq!(both(fails(false, true), fails(true, false)), "enter b");
    assert_eq!(reports::take(), ["Failed(exit a)"]);
    assert_eq!(both(fails(false, true), fails(false, true)), "exit b");
    assert_eq!(reports::take(), ["Failed(exit a)"]);
    assert_eq!(
        reports::take_names()[0],
        "behavior::join::side",
        "each report names its own context"
    );
}

#[test]
fn a_panic_of_one_context_does_not_stop_the_exit_of_the_other() {
    reports::collect();
    for (panics, outcome) in [("enter", "Panicked"), ("exit", "Completed")] {
        for at_first in [true, false] {
            let log = Log::new();
            let panicking = Side {
                panics: Some(panics),
                ..Side::open()
            };
            let other = Side {
                exit_fails: true,
                ..Side::open()
            };
            other.exit.0.store(false, Ordering::Relaxed);
            let exit = other.exit.clone();
            let (a, b, name) = if at_first {
                (panicking, other, "b")
            } else {
                (other, panicking, "a")
            };
            let mut using = Box::pin(AssertUnwindSafe(used(log.clone(), a, b)).catch_unwind());
            assert!(
                poll_once(using.as_mut()).is_pending(),
                "the use waits for the other context"
            );
            let line = log.line();
            assert!(line.contains(&format!("exit({name}, {outcome})")), "{line}");
            exit.open();
            let Poll::Ready(Err(panic)) = poll_once(using.as_mut()) else {
                panic!("the use should panic");
            };
            assert_eq!(panic.downcast_ref(), Some(&panics));
            assert_eq!(log.line(), format!("exited({name})"));
            assert_eq!(reports::take(), [format!("Failed(exit {name})")]);
        }
    }
}

#[test]
fn an_error_that_the_caller_does_not_get_is_reported() {
    reports::collect();
    let failing = Side {
        enter_fails: true,
        ..Side::open()
    };
    // The error of one, and a panic of the other.
    let panicking = Side {
        panics: Some("enter"),
        ..Side::open()
    };
    for (a, b) in [
        (failing.clone(), panicking.clone()),
        (panicking, failing.clone()),
    ] {
        let using = AssertUnwindSafe(used(Log::new(), a, b)).catch_unwind();
        assert_eq!(block_on(using).unwrap_err().downcast_ref(), Some(&"enter"));
        assert!(matches!(&*reports::take(), [report] if report.starts_with("SetUpFailed(enter ")));
    }
    // The error of one, when the use is dropped while the other is entered or exited.
    let waiting = Side::default();
    let mut using = Box::pin(used(Log::new(), failing, waiting));
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    let reported = |report: &str| reports::take().contains(&report.to_string());
    assert!(reported("SetUpFailed(enter a)"));
    let failing = Side {
        exit_fails: true,
        ..Side::open()
    };
    let waiting = Side::open();
    waiting.exit.0.store(false, Ordering::Relaxed);
    let mut using = Box::pin(used(Log::new(), waiting, failing));
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    assert!(reported("Failed(exit b)"));
}

#[test]
fn a_join_that_is_dropped_after_any_number_of_polls_exits_both() {
    async fn waiting(log: Log, name: &'static str, polls: usize) {
        let context = waits(log.clone(), name, polls);
        async_with!(join(_a = context, _b = waits(log, "b", 4 - polls)), {
            yield_once().await;
        });
    }
    #[async_context]
    async fn waits(log: Log, name: &'static str, polls: usize) {
        log.push(format_args!("+{name}"));
        for _ in 0..polls {
            yield_once().await;
        }
        yield_resource!();
        for _ in 0..polls {
            yield_once().await;
        }
        log.push(format_args!("-{name}"));
    }

    // A runtime runs the clean-ups, as in a program.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        reports::collect();
        for polls in 0..=4 {
            for drop_at in 0.. {
                let log = Log::new();
                let mut using = Box::pin(waiting(log.clone(), "a", polls));
                let over = guard_tests::poll_times(using.as_mut(), drop_at).is_ready();
                drop(using);
                for _ in 0..32 {
                    tokio::task::yield_now().await;
                }
                let mut events = log.take();
                events.sort();
                let expected: &[&str] = if drop_at == 0 {
                    &[]
                } else {
                    &["+a", "+b", "-a", "-b"]
                };
                assert_eq!(
                    events, expected,
                    "{polls} waits, dropped after {drop_at} polls"
                );
                if over {
                    break;
                }
            }
        }
        assert_eq!(reports::take(), [""; 0]);
    });
}

#[test]
fn both_contexts_get_cancelled_when_the_body_is_dropped() {
    async fn using(log: Log) -> Result<(), String> {
        async_with!(
            join(
                _a = side(log.clone(), "a", Side::open())?,
                _b = side(log.clone(), "b", Side::open())?,
            ),
            {
                log.take();
                pending::<()>().await;
            }
        );
        Ok(())
    }

    let log = Log::new();
    let mut using = Box::pin(using(log.clone()));
    assert!(poll_once(using.as_mut()).is_pending());
    drop(using);
    let mut events = log.take();
    events.sort();
    assert_eq!(
        events,
        [
            "exit(a, Cancelled)",
            "exit(b, Cancelled)",
            "exited(a)",
            "exited(b)"
        ]
    );
}

#[test]
fn three_contexts_can_be_joined_beside_others() {
    async fn using(log: Log, fails: [bool; 3]) -> Result<u32, String> {
        let [a, b, c] = fails.map(|exit_fails| Side {
            exit_fails,
            ..Side::open()
        });
        Ok(async_with!(
            first = side(log.clone(), "first", Side::open())?,
            join(
                a = side(log.clone(), first, a)?,
                b = side(log.clone(), "b", b)?,
                c = side(log.clone(), "c", c)?,
            ),
            last = side(log.clone(), "last", Side::open())?,
            {
                assert_eq!((*a, *b, *c, *last), ("first", "b", "c", "last"));
                log.take();
                42
            }
        ))
    }

    reports::collect();
    let log = Log::new();
    assert_eq!(block_on(using(log.clone(), [false; 3])), Ok(42));
    let events = log.take();
    assert_eq!(events[0], "exit(last, Completed)", "{events:?}");
    assert_eq!(events[1], "exited(last)", "{events:?}");
    assert_eq!(events[9], "exited(first)", "{events:?}");
    assert_eq!(events.len(), 10);

    let failed = block_on(using(log, [true; 3])).unwrap_err();
    let mut seen = reports::take();
    seen.push(format!("Failed({failed})"));
    seen.sort();
    assert_eq!(
        seen,
        ["Failed(exit b)", "Failed(exit c)", "Failed(exit first)"]
    );
}

#[test]
fn a_join_takes_patterns_types_and_contexts_that_cannot_fail() {
    #[async_context]
    async fn pair(of: u32) -> (u32, String) {
        let mut lent = (of, of.to_string());
        yield_resource!(lent);
    }

    async fn using() -> String {
        async_with!(join((n, text) = pair(1), &mut (m, _): &mut (u32, String) = pair(41)), {
            *n += m;
            format!("{n}{text}")
        })
    }
    assert_eq!(block_on(using()), "421");
}

#[test]
fn a_single_context_can_be_joined() {
    async fn using(log: Log) -> Result<Outcome, String> {
        async_with!(join(_a = side(log, "a", Side::open())?), {
            return Ok(Outcome::Completed);
        })
    }
    assert_eq!(block_on(using(Log::new())), Ok(Outcome::Completed));
}
