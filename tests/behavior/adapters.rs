//! Contexts that are made of values, functions and other contexts.

use std::future::pending;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;

use futures::FutureExt;
use guard_core::{
    AsyncClose, AsyncContext, AsyncManager, BoxContext, LocalBoxContext, Outcome, TimeoutError,
    async_context, async_with, blocking, blocking_catch, closing, drain, from_fns, manage,
    manage_scoped, nullcontext, yield_resource,
};
use guard_tests::{Log, block_on, payload_message, poll_once, yield_once};
use tokio::runtime::Builder;

use crate::reports;

#[async_context]
async fn failing(log: Log, enter: Result<(), &'static str>) -> Result<u32, &'static str> {
    enter?;
    let mut lent = 1;
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({outcome:?})"));
    Err("exit")
}

#[test]
fn nullcontext_lends_a_value_and_does_nothing() {
    let doubled = block_on(nullcontext(21).run(async |n| {
        *n *= 2;
        *n
    }));
    assert_eq!(doubled, 42);
    // The value need be neither `Send` nor `'static`.
    let text = String::from("text");
    let shared = Rc::new(&text);
    let used: Result<usize, ParseIntError> = block_on(async {
        Ok(async_with!(shared = nullcontext(shared.clone()), {
            shared.len()
        }))
    });
    assert_eq!(used, Ok(4));
    assert_eq!(Rc::strong_count(&shared), 1);
    let again = nullcontext(());
    let copy = again;
    block_on(again.run(async |()| ()));
    block_on(copy.run(async |()| ()));
}

struct Connection {
    log: Log,
    fails: bool,
}

impl AsyncClose for Connection {
    type Error = &'static str;

    async fn close(self) -> Result<(), &'static str> {
        yield_once().await;
        self.log.push("closed");
        if self.fails { Err("close") } else { Ok(()) }
    }
}

#[test]
fn closing_closes_once_for_every_outcome() {
    let log = Log::new();
    let connection = |fails| {
        closing(Connection {
            log: log.clone(),
            fails,
        })
    };
    let used = |fails, result: Result<u32, &'static str>| {
        block_on(connection(fails).with(async |connection| {
            connection.log.push("used");
            result
        }))
    };
    assert_eq!(used(false, Ok(1)), Ok(1));
    assert_eq!(used(false, Err("body")), Err("body"));
    assert_eq!(used(true, Ok(1)), Err("close"));
    assert_eq!(log.line(), "used closed used closed used closed");

    let panics = connection(false)
        .with(async |_| -> Result<(), &'static str> { std::panic::panic_any("ouch") });
    assert!(block_on(AssertUnwindSafe(panics).catch_unwind()).is_err());
    assert_eq!(log.line(), "closed");
}

#[tokio::test]
async fn closing_closes_when_it_is_dropped() {
    let log = Log::new();
    let connection = Connection {
        log: log.clone(),
        fails: false,
    };
    {
        let used = closing(connection).with(async |_| pending::<Result<(), &'static str>>().await);
        assert!(poll_once(pin!(used)).is_pending());
    }
    drain().await;
    assert_eq!(log.line(), "closed");
}

#[test]
fn from_fns_acquires_and_releases() {
    let log = Log::new();
    let context = |fails: bool| {
        let log = log.clone();
        from_fns(
            async move || {
                yield_once().await;
                if fails { Err("acquire") } else { Ok(vec![1]) }
            },
            async move |lent: Vec<u32>, outcome: Outcome| {
                yield_once().await;
                log.push(format_args!("{lent:?} {outcome:?}"));
                if lent.len() > 2 {
                    Err("release")
                } else {
                    Ok(())
                }
            },
        )
    };
    let used = |fails, add: &[u32], result: Result<(), &'static str>| {
        block_on(context(fails).with(async |lent| {
            lent.extend(add);
            result
        }))
    };
    assert_eq!(used(true, &[], Ok(())), Err("acquire"));
    assert_eq!(log.line(), "", "a failed acquire is not released");
    assert_eq!(used(false, &[2], Ok(())), Ok(()));
    assert_eq!(log.line(), "[1, 2] Completed");
    assert_eq!(used(false, &[], Err("body")), Err("body"));
    assert_eq!(log.line(), "[1] Failed(())");
    assert_eq!(used(false, &[2, 3], Ok(())), Err("release"));
    assert_eq!(log.line(), "[1, 2, 3] Completed");
}

#[tokio::test]
async fn from_fns_releases_when_it_is_dropped_while_it_acquires() {
    let log = Log::new();
    let released = log.clone();
    let context = from_fns(
        async || {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok::<_, &str>(1)
        },
        async move |lent, outcome| {
            tokio::task::yield_now().await;
            released.push(format_args!("{lent} {outcome:?}"));
            Ok(())
        },
    );
    assert!(poll_once(pin!(context.enter())).is_pending());
    drain().await;
    assert_eq!(log.line(), "1 Cancelled");
}

#[tokio::test]
async fn blocking_runs_both_functions_outside_the_task() {
    let here = std::thread::current().id();
    let elsewhere = move || assert_ne!(std::thread::current().id(), here);
    let context = |fails: Option<&'static str>| {
        blocking(
            move || {
                elsewhere();
                if fails == Some("acquire") {
                    Err("acquire")
                } else {
                    Ok(20)
                }
            },
            move |lent, outcome| {
                elsewhere();
                assert_eq!((lent, outcome), (40, Outcome::Completed));
                if fails == Some("release") {
                    Err("release")
                } else {
                    Ok(())
                }
            },
        )
    };
    for (fails, expected) in [
        (None, Ok(40)),
        (Some("acquire"), Err("acquire")),
        (Some("release"), Err("release")),
    ] {
        let used = context(fails).with(async |lent| {
            *lent *= 2;
            Ok(*lent)
        });
        assert_eq!(used.await, expected);
    }
}

#[tokio::test]
async fn a_panic_of_a_blocking_function_unwinds_in_the_task() {
    let acquire = blocking(
        || -> Result<(), &'static str> { std::panic::panic_any("acquire") },
        |(), _| Ok(()),
    );
    let used = AssertUnwindSafe(acquire.with(async |()| Ok::<_, &str>(()))).catch_unwind();
    assert_eq!(payload_message(used.await.unwrap_err()), "acquire");
    let release = blocking(
        || Ok::<_, &str>(()),
        |(), _| std::panic::panic_any("release"),
    );
    let used = AssertUnwindSafe(release.with(async |()| Ok::<_, &str>(()))).catch_unwind();
    assert_eq!(payload_message(used.await.unwrap_err()), "release");
}

/// An error that tells when it is dropped.
#[derive(Debug)]
struct Late {
    _dropped: mpsc::Sender<()>,
}

#[tokio::test]
async fn what_a_blocking_release_fails_with_after_it_was_given_up_is_reported() {
    for panics in [false, true] {
        let reports = guard_core::testing::reports();
        let (go_on, waits) = mpsc::channel::<()>();
        let (late, is_dropped) = mpsc::channel();
        let context = blocking(
            || Ok(()),
            move |(), _| {
                assert!(waits.recv().is_err());
                let late = Late { _dropped: late };
                if panics {
                    resume_unwind(Box::new(late));
                }
                Err(late)
            },
        );
        let limited = context.exit_until(std::future::ready(()));
        let used = limited.with(async |()| Ok::<_, TimeoutError<Late>>(()));
        assert!(matches!(used.await, Err(TimeoutError::TimedOut)));
        assert_eq!(reports.take().len(), 1);
        drop(go_on);
        assert!(is_dropped.recv().is_err());
        let reported = reports.take();
        assert_eq!(reported.len(), 1, "{panics}");
        let expected = if panics { "panicked" } else { "Late" };
        assert!(reported[0].to_string().contains(expected), "{reported:?}");
    }
}

#[test]
fn what_is_acquired_after_its_set_up_was_given_up_is_released() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel();
    let context = blocking(
        move || {
            assert!(waits.recv().is_err());
            Ok::<_, &str>("resource")
        },
        move |resource, outcome| {
            release.send((resource, outcome)).unwrap();
            Ok(())
        },
    );
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let used = context.with(async |_| Ok::<_, &str>(()));
        assert!(poll_once(pin!(used)).is_pending());
    });
    // Nobody goes on with the set-up, which is on its thread.
    runtime.shutdown_background();
    drop(go_on);
    assert_eq!(released.recv(), Ok(("resource", Outcome::Cancelled)));
}

#[test]
fn a_blocking_release_does_not_wait_for_a_thread_that_waits_for_it() {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (release, released) = mpsc::channel();
        let (waiting, is_waiting) = tokio::sync::oneshot::channel();
        let context = blocking(
            || Ok::<_, &str>(()),
            move |(), _| {
                release.send(()).unwrap();
                Ok(())
            },
        );
        let used = context.with(async |()| {
            // The only thread of the blocking pool waits for the release.
            let waits = tokio::task::spawn_blocking(move || {
                waiting.send(()).unwrap();
                released.recv().unwrap();
            });
            is_waiting.await.unwrap();
            Ok::<_, &str>(waits)
        });
        used.await.unwrap().await.unwrap();
    });
}

#[tokio::test]
async fn blocking_releases_when_it_is_dropped_while_it_acquires() {
    let (acquire, is_acquired) = mpsc::channel::<()>();
    let (release, released) = tokio::sync::oneshot::channel();
    let context = blocking(
        move || {
            is_acquired.recv().unwrap();
            Ok::<_, &str>(1)
        },
        move |lent, outcome| {
            release.send((lent, outcome)).unwrap();
            Ok(())
        },
    );
    {
        let mut entering = pin!(context.enter());
        assert!(poll_once(entering.as_mut()).is_pending());
    }
    acquire.send(()).unwrap();
    assert_eq!(released.await, Ok((1, Outcome::Cancelled)));
    drain().await;
}

#[test]
fn map_err_converts_every_error() {
    let log = Log::new();
    let mapped = |enter| failing(log.clone(), enter).map_err(|error| format!("<{error}>"));
    let used = |enter| block_on(mapped(enter).with(async |n| Ok::<_, String>(*n)));
    assert_eq!(used(Ok(())), Err("<exit>".to_string()));
    assert_eq!(used(Err("enter")), Err("<enter>".to_string()));

    // The error in a report is converted too, and the report names the context itself.
    reports::collect();
    let used = mapped(Ok(())).with(async |_| Err::<(), _>("body".to_string()));
    assert_eq!(block_on(used), Err("body".to_string()));
    assert_eq!(reports::take(), ["Failed(\"<exit>\")"]);
    assert_eq!(reports::take_names(), ["behavior::adapters::failing"]);
    assert_eq!(log.line(), "exit(Completed) exit(Failed(()))");
}

#[test]
fn with_error_gives_any_error_type() {
    #[async_context]
    async fn infallible(log: Log) -> u32 {
        let mut lent = 1;
        let outcome = yield_resource!(lent);
        log.push(format_args!("exit({outcome:?})"));
    }

    let log = Log::new();
    let with = |text: &'static str| {
        let context = infallible(log.clone()).with_error();
        block_on(context.with(async move |n| Ok(text.parse::<u32>()? + *n)))
    };
    let parsed: Result<u32, ParseIntError> = with("41");
    assert_eq!(parsed, Ok(42));
    assert!(with("x").is_err());
    assert_eq!(log.line(), "exit(Completed) exit(Failed(()))");
}

#[test]
fn boxed_contexts_have_one_type() {
    fn choose(log: &Log, which: u32) -> BoxContext<'static, u32, &'static str> {
        match which {
            0 => nullcontext(7).with_error().boxed(),
            1 => failing(log.clone(), Ok(())).boxed(),
            _ => choose(log, which - 1).boxed(),
        }
    }

    let log = Log::new();
    for (which, expected) in [(0, Ok(7)), (1, Err("exit")), (2, Err("exit"))] {
        let used = choose(&log, which).with(async |n| Ok(*n));
        assert_eq!(block_on(used), expected);
    }
    assert_eq!(log.line(), "exit(Completed) exit(Completed)");
    let text = String::from("text");
    let borrowing: LocalBoxContext<'_, Rc<&str>, std::convert::Infallible> =
        nullcontext(Rc::new(&*text)).boxed_local();
    assert_eq!(block_on(borrowing.run(async |text| text.len())), 4);
    // A dropped box exits its context in the background, and a report names the context itself.
    reports::collect();
    let mut used = Box::pin(choose(&log, 2).with(async |_| pending::<Result<(), &str>>().await));
    assert!(poll_once(used.as_mut()).is_pending());
    drop(used);
    assert_eq!(log.line(), "exit(Cancelled)");
    assert_eq!(reports::take_names(), ["behavior::adapters::failing"]);
}

struct Managed<'a> {
    log: Log,
    lent: &'a str,
}

impl AsyncManager for Managed<'_> {
    type Resource = Log;
    type Error = &'static str;

    async fn enter(&mut self) -> Result<&mut Log, &'static str> {
        self.log.push(format_args!("enter({})", self.lent));
        yield_once().await;
        Ok(&mut self.log)
    }

    async fn exit(&mut self, outcome: Outcome) -> Result<(), &'static str> {
        yield_once().await;
        self.log.push(format_args!("exit({outcome:?})"));
        if outcome.is_failed() {
            Err("exit")
        } else {
            Ok(())
        }
    }
}

fn managed<'a>(log: &Log, lent: &'a str) -> Managed<'a> {
    let log = log.clone();
    Managed { log, lent }
}

#[test]
fn a_manager_written_by_hand_is_a_context() {
    let log = Log::new();
    let text = String::from("borrowed");
    let used = block_on(manage_scoped(managed(&log, &text)).with(async |log| {
        log.push("body");
        Ok::<_, &str>(1)
    }));
    assert_eq!(used, Ok(1));
    assert_eq!(log.line(), "enter(borrowed) body exit(Completed)");

    reports::collect();
    let used = manage(managed(&log, "owned")).with(async |_| Err::<(), _>("body"));
    assert_eq!(block_on(used), Err("body"));
    assert_eq!(log.line(), "enter(owned) exit(Failed(()))");
    assert_eq!(reports::take(), ["Failed(\"exit\")"]);
}

#[tokio::test]
async fn an_owned_manager_exits_in_the_background_when_it_is_dropped() {
    let log = Log::new();
    for polls in 1..=2 {
        let mut used = Box::pin(
            manage(managed(&log, "owned")).with(async |_| pending::<Result<(), &str>>().await),
        );
        assert!(guard_tests::poll_times(used.as_mut(), polls).is_pending());
        drop(used);
        drain().await;
        assert_eq!(log.line(), "enter(owned) exit(Cancelled)", "{polls} polls");
    }
}

/// A manager that swallows the error with this text.
struct Forgiving {
    log: Log,
    forgiven: &'static str,
}

impl AsyncManager<String> for Forgiving {
    type Resource = Log;
    type Error = String;

    async fn enter(&mut self) -> Result<&mut Log, String> {
        self.log.push("enter");
        Ok(&mut self.log)
    }

    async fn exit(&mut self, outcome: Outcome<String>) -> Result<(), String> {
        yield_once().await;
        self.log.push(format_args!("exit({outcome:?})"));
        match outcome {
            Outcome::Failed(error) if error == self.forgiven => Ok(()),
            Outcome::Failed(error) => Err(format!("returned {error}")),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_manager_may_catch() {
    let log = Log::new();
    let forgiving = || Forgiving {
        log: log.clone(),
        forgiven: "late",
    };
    let fail = async |error: &str| Err::<(), _>(error.to_owned());
    let late = manage(forgiving()).catch(async |_| fail("late").await);
    assert_eq!(block_on(late), Ok(None));
    let early = manage(forgiving()).catch(async |_| fail("early").await);
    assert_eq!(block_on(early), Err("returned early".to_owned()));
    let fine = manage_scoped(forgiving()).catch(async |log| Ok(log.take().len()));
    assert_eq!(block_on(fine), Ok(Some(5)));
    assert_eq!(log.line(), "exit(Completed)");
}

#[test]
fn a_manager_may_catch_several_types_of_errors() {
    struct Counting(u32);

    impl AsyncManager for Counting {
        type Resource = u32;
        type Error = &'static str;

        async fn enter(&mut self) -> Result<&mut u32, &'static str> {
            Ok(&mut self.0)
        }

        async fn exit(&mut self, _: Outcome) -> Result<(), &'static str> {
            Ok(())
        }
    }

    impl AsyncManager<&'static str> for Counting {
        type Resource = u32;
        type Error = &'static str;

        async fn enter(&mut self) -> Result<&mut u32, &'static str> {
            Ok(&mut self.0)
        }

        async fn exit(&mut self, _: Outcome<&'static str>) -> Result<(), &'static str> {
            Ok(())
        }
    }

    let plain = manage::<_, ()>(Counting(1)).with(async |_| Err::<(), _>("body"));
    assert_eq!(block_on(plain), Err("body"));
    let catching = manage::<_, &str>(Counting(1)).catch(async |_| Err::<(), _>("body"));
    assert_eq!(block_on(catching), Ok(None));
}

#[test]
fn a_blocking_release_may_catch() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let context = |swallow: bool| {
        blocking_catch(
            || Ok::<_, String>(3),
            move |resource, outcome: Outcome<String>| match outcome {
                Outcome::Failed(_) if swallow => Ok(()),
                Outcome::Failed(error) => Err(format!("{error} with {resource}")),
                Outcome::Completed => Ok(()),
                Outcome::Panicked | Outcome::Cancelled => unreachable!(),
            },
        )
    };
    let fail = async |_: &mut i32| Err::<(), _>(String::from("failed"));
    runtime.block_on(async {
        assert_eq!(context(true).catch(fail).await, Ok(None));
        let returned = Err(String::from("failed with 3"));
        assert_eq!(context(false).catch(fail).await, returned);
        let fine = context(false).catch(async |n| Ok(*n)).await;
        assert_eq!(fine, Ok(Some(3)));
    });
}

#[test]
fn a_blocking_release_that_catches_gets_cancelled() {
    let (sender, outcomes) = mpsc::channel();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let context = blocking_catch(
            || Ok::<_, String>(()),
            move |(), outcome: Outcome<String>| {
                sender.send(outcome).unwrap();
                Ok(())
            },
        );
        let guard = context.enter().await.unwrap();
        let () = *guard;
        drop(guard);
        drain().await;
    });
    assert_eq!(outcomes.recv(), Ok(Outcome::Cancelled));
}
