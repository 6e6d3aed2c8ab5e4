//! The ways of using a context, and what happens when the body, the exit, or both fail.
#![allow(
    clippy::needless_question_mark,
    clippy::never_loop,
    reason = "the tests leave a block in every way"
)]

use std::fmt;
use std::future::Future;
use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use guard_core::{AsyncContext, Outcome, TryWithError, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::reports;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Failure(pub(crate) &'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failure {}

/// The reports, with the names of this file's types as they are written here: it is compiled in two crates.
fn take_reports() -> Vec<String> {
    let here = concat!(module_path!(), "::");
    let reports = reports::take().into_iter();
    reports.map(|report| report.replace(here, "")).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Fine,
    Fails,
    Panics,
}
use End::{Fails, Fine, Panics};

impl End {
    fn reach(self, what: &'static str) -> Result<(), Failure> {
        match self {
            Fine => Ok(()),
            Fails => Err(Failure(what)),
            Panics => panic!("{what}"),
        }
    }
}

#[derive(Clone)]
struct Plan {
    log: Log,
    enter: End,
    body: End,
    exit: End,
}

#[async_context]
async fn planned(plan: Plan) -> Result<u32, Failure> {
    let Plan {
        log, enter, exit, ..
    } = plan;
    log.push("enter");
    yield_once().await;
    enter.reach("enter")?;
    let mut number = 1;
    let outcome = yield_resource!(number);
    log.push(format_args!("exit({outcome:?})"));
    yield_once().await;
    exit.reach("exit")?;
    Ok(())
}

async fn body(plan: &Plan, number: &mut u32) -> Result<u32, Failure> {
    plan.log.push("body");
    yield_once().await;
    plan.body.reach("body")?;
    Ok(*number + 1)
}

async fn by_block(plan: Plan) -> Result<u32, Failure> {
    let number = async_with!(number = planned(plan.clone())?, {
        body(&plan, number).await?
    });
    plan.log.push("after");
    Ok(number)
}

async fn by_return(plan: Plan) -> Result<u32, Failure> {
    async_with!(number = planned(plan.clone())?, {
        return body(&plan, number).await;
    })
}

async fn by_with(plan: Plan) -> Result<u32, Failure> {
    planned(plan.clone())
        .with(async |number| body(&plan, number).await)
        .await
}

async fn by_guard(plan: Plan) -> Result<u32, Failure> {
    let mut guard = planned(plan.clone()).enter().await?;
    let result = body(&plan, &mut guard).await;
    let outcome = match result {
        Ok(_) => Outcome::Completed,
        Err(_) => Outcome::Failed(()),
    };
    guard.exit_with(outcome).await?;
    result
}

/// What a use did: its result or the message of its panic, the log, and the reports.
fn observe<T>(
    way: impl AsyncFnOnce(Plan) -> T,
    (enter, body, exit): (End, End, End),
) -> (Result<T, String>, String, Vec<String>) {
    reports::collect();
    let log = Log::new();
    let plan = Plan {
        log: log.clone(),
        enter,
        body,
        exit,
    };
    let result = catch_unwind(AssertUnwindSafe(|| block_on(way(plan))));
    let result = result.map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(_) => "another payload".into(),
    });
    (result, log.line(), take_reports())
}

macro_rules! table {
    ($way:expr => $($ends:expr => $result:expr, $log:literal, $reports:expr;)+) => {$(
        let (result, log, reports) = observe(async |plan| $way(plan).await, $ends);
        assert_eq!(result, $result, "{:?}", $ends);
        assert_eq!(log, $log, "{:?}", $ends);
        assert_eq!(reports, $reports as &[&str], "{:?}", $ends);
    )+};
}

fn panicked<T>(message: &str) -> Result<T, String> {
    Err(message.to_owned())
}

#[test]
fn async_with_loses_no_error_and_no_panic() {
    table! { by_block =>
        (Fails, Fine, Fine) => Ok(Err(Failure("enter"))), "enter", &[];
        (Panics, Fine, Fine) => panicked("enter"), "enter", &[];
        (Fine, Fine, Fine) => Ok(Ok(2)), "enter body exit(Completed) after", &[];
        (Fine, Fine, Fails) => Ok(Err(Failure("exit"))), "enter body exit(Completed)", &[];
        (Fine, Fine, Panics) => panicked("exit"), "enter body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &[];
        (Fine, Fails, Fails) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &["Failed(exit)"];
        (Fine, Fails, Panics) => panicked("exit"), "enter body exit(Failed(()))",
            &["Failed(an error of type `core::result::Result<u32, Failure>`)"];
        (Fine, Panics, Fine) => panicked("body"), "enter body exit(Panicked)", &[];
        (Fine, Panics, Fails) => panicked("body"), "enter body exit(Panicked)", &["Failed(exit)"];
        (Fine, Panics, Panics) => panicked("body"), "enter body exit(Panicked)", &["Panicked"];
    }
}

#[test]
fn the_outcome_of_a_return_from_async_with_follows_from_its_value() {
    table! { by_return =>
        (Fails, Fine, Fine) => Ok(Err(Failure("enter"))), "enter", &[];
        (Fine, Fine, Fine) => Ok(Ok(2)), "enter body exit(Completed)", &[];
        (Fine, Fine, Fails) => Ok(Err(Failure("exit"))), "enter body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &[];
        (Fine, Fails, Fails) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &["Failed(exit)"];
        (Fine, Panics, Fine) => panicked("body"), "enter body exit(Panicked)", &[];
    }
}

#[test]
fn with_loses_no_error_and_no_panic() {
    table! { by_with =>
        (Fails, Fine, Fine) => Ok(Err(Failure("enter"))), "enter", &[];
        (Panics, Fine, Fine) => panicked("enter"), "enter", &[];
        (Fine, Fine, Fine) => Ok(Ok(2)), "enter body exit(Completed)", &[];
        (Fine, Fine, Fails) => Ok(Err(Failure("exit"))), "enter body exit(Completed)", &[];
        (Fine, Fine, Panics) => panicked("exit"), "enter body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &[];
        (Fine, Fails, Fails) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &["Failed(exit)"];
        (Fine, Fails, Panics) => panicked("exit"), "enter body exit(Failed(()))",
            &["Failed(an error of type `Failure`)"];
        (Fine, Panics, Fine) => panicked("body"), "enter body exit(Panicked)", &[];
        (Fine, Panics, Fails) => panicked("body"), "enter body exit(Panicked)", &["Failed(exit)"];
        (Fine, Panics, Panics) => panicked("body"), "enter body exit(Panicked)", &["Panicked"];
    }
}

#[test]
fn try_with_returns_every_failure() {
    async fn by_try_with(plan: Plan) -> Result<u32, TryWithError<u32, Failure, Failure>> {
        let context = planned(plan.clone());
        context
            .try_with(async |number| body(&plan, number).await)
            .await
    }
    const BODY: Failure = Failure("body");
    const EXIT: Failure = Failure("exit");

    table! { by_try_with =>
        (Fails, Fine, Fine) => Ok(Err(TryWithError::Enter(Failure("enter")))), "enter", &[];
        (Fine, Fine, Fine) => Ok(Ok(2)), "enter body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(TryWithError::Body(BODY))), "enter body exit(Failed(()))", &[];
        (Fine, Fine, Fails) =>
            Ok(Err(TryWithError::Exit { value: 2, error: EXIT })), "enter body exit(Completed)", &[];
        (Fine, Fails, Fails) =>
            Ok(Err(TryWithError::BodyAndExit { body: BODY, exit: EXIT })), "enter body exit(Failed(()))", &[];
        (Fine, Fails, Panics) => panicked("exit"), "enter body exit(Failed(()))",
            &["Failed(an error of type `Failure`)"];
        (Fine, Panics, Fails) => panicked("body"), "enter body exit(Panicked)", &["Failed(exit)"];
    }
}

#[test]
fn run_returns_what_the_body_does() {
    #[async_context]
    async fn quiet(plan: Plan) -> u32 {
        let mut number = 1;
        let outcome = yield_resource!(number);
        plan.log.push(format_args!("exit({outcome:?})"));
        let _ = plan.exit.reach("exit");
    }
    async fn by_run(plan: Plan) -> Result<u32, Failure> {
        quiet(plan.clone())
            .run(async |number| body(&plan, number).await)
            .await
    }

    table! { by_run =>
        (Fine, Fine, Fine) => Ok(Ok(2)), "body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "body exit(Failed(()))", &[];
        (Fine, Fine, Panics) => panicked("exit"), "body exit(Completed)", &[];
        (Fine, Fails, Panics) => panicked("exit"), "body exit(Failed(()))",
            &["Failed(an error of type `core::result::Result<u32, Failure>`)"];
        (Fine, Panics, Fine) => panicked("body"), "body exit(Panicked)", &[];
        (Fine, Panics, Panics) => panicked("body"), "body exit(Panicked)", &["Panicked"];
    }
}

#[test]
fn an_exit_that_panics_after_it_was_suspended_reports_the_error_of_the_body() {
    #[async_context]
    async fn panics_late() -> Result<(), Failure> {
        yield_resource!();
        yield_once().await;
        panic!("{}", "the exit")
    }
    async fn by_value() -> Result<(), Failure> {
        async_with!(_it = panics_late()?, { Err(Failure("the body")) })
    }
    async fn by_question_mark() -> Result<(), Failure> {
        async_with!(_it = panics_late()?, { Err::<(), _>(Failure("the body"))? });
        Ok(())
    }

    reports::collect();
    let late = || panics_late().with(async |()| Err::<(), _>(Failure("the body")));
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(late()))).is_err());
    assert!(catch_unwind(|| block_on(by_value())).is_err());
    assert!(catch_unwind(|| block_on(by_question_mark())).is_err());
    assert_eq!(
        take_reports(),
        [
            "Failed(an error of type `Failure`)",
            "Failed(with an `Err` as its value)",
            "Failed(an error of type `core::result::Result<(), Failure>`)",
        ]
    );
}

#[test]
fn the_user_of_a_guard_gives_it_the_outcome() {
    table! { by_guard =>
        (Fails, Fine, Fine) => Ok(Err(Failure("enter"))), "enter", &[];
        (Panics, Fine, Fine) => panicked("enter"), "enter", &[];
        (Fine, Fine, Fine) => Ok(Ok(2)), "enter body exit(Completed)", &[];
        (Fine, Fine, Fails) => Ok(Err(Failure("exit"))), "enter body exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "enter body exit(Failed(()))", &[];
        (Fine, Fails, Fails) => Ok(Err(Failure("exit"))), "enter body exit(Failed(()))", &[];
        (Fine, Fine, Panics) => panicked("exit"), "enter body exit(Completed)", &[];
    }
}

#[test]
fn a_guard_derefs_to_the_resource_until_its_exit() {
    let log = Log::new();
    let plan = Plan {
        log: log.clone(),
        enter: Fine,
        body: Fine,
        exit: Fine,
    };
    block_on(async {
        let mut guard = planned(plan).enter().await.unwrap();
        *guard += 1;
        assert_eq!(*guard, 2);
        assert_eq!(format!("{guard:?}"), "Guard(2)");
        guard.exit().await.unwrap();
    });
    assert_eq!(log.line(), "enter exit(Completed)");
}

#[test]
fn the_body_is_dropped_before_the_exit_runs() {
    #[async_context]
    async fn context(log: Log) -> u32 {
        let mut number = 0;
        yield_resource!(number);
        log.push("exit");
    }
    struct Held(Log);
    impl Drop for Held {
        fn drop(&mut self) {
            self.0.push("drop(body)");
        }
    }

    let log = Log::new();
    let held = Held(log.clone());
    block_on(context(log.clone()).run(async move |_| {
        let _held = &held;
    }));
    assert_eq!(log.line(), "drop(body) exit");

    let ends = [Fine, Panics];
    for end in ends {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            block_on(async {
                async_with!(_number = context(log.clone()), {
                    let _held = Held(log.clone());
                    let _ = end.reach("body");
                });
            });
        }));
        assert_eq!(log.line(), "drop(body) exit");
    }
}

#[test]
fn several_contexts_exit_in_reverse_order_and_a_later_one_can_use_an_earlier_one() {
    #[async_context(scoped)]
    async fn child<'a>(parent: &'a mut u32, log: &Log) -> Result<&'a mut u32, Failure> {
        *parent += 10;
        let mut lent = parent;
        let outcome = yield_resource!(lent);
        log.push(format_args!("child({outcome:?})"));
        Ok(())
    }
    async fn nested(plan: Plan) -> Result<u32, Failure> {
        Ok(async_with!(
            parent = planned(plan.clone())?,
            child = child(parent, &plan.log)?,
            {
                **child += 100;
                body(&plan, child).await?
            }
        ))
    }
    table! { nested =>
        (Fine, Fine, Fine) => Ok(Ok(112)), "enter body child(Completed) exit(Completed)", &[];
        (Fine, Fails, Fine) => Ok(Err(Failure("body"))), "enter body child(Failed(())) exit(Failed(()))", &[];
        (Fine, Panics, Fine) => panicked("body"), "enter body child(Panicked) exit(Panicked)", &[];
    }
}

#[test]
fn a_failing_inner_exit_fails_the_outer_context() {
    async fn nested(plan: Plan) -> Result<u32, Failure> {
        let outer = Plan {
            exit: Fine,
            ..plan.clone()
        };
        Ok(async_with!(
            _a = planned(outer)?,
            number = planned(plan.clone())?,
            { *number }
        ))
    }
    table! { nested =>
        (Fine, Fine, Fails) =>
            Ok(Err(Failure("exit"))), "enter enter exit(Completed) exit(Failed(()))", &[];
    }
}

mod inference {
    use super::*;

    #[async_context]
    async fn text() -> String {
        let mut text = String::from("12");
        yield_resource!(text);
    }

    #[async_context]
    async fn file() -> std::io::Result<String> {
        let mut text = String::from("12");
        yield_resource!(text);
        Ok(())
    }

    #[test]
    fn values_and_errors_need_no_annotation() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "only made")]
        enum AppError {
            Io(std::io::Error),
            Number(ParseIntError),
        }
        impl From<std::io::Error> for AppError {
            fn from(error: std::io::Error) -> Self {
                Self::Io(error)
            }
        }
        impl From<ParseIntError> for AppError {
            fn from(error: ParseIntError) -> Self {
                Self::Number(error)
            }
        }

        async fn number() -> Result<u32, AppError> {
            let number: u32 = async_with!(file = file()?, { file.parse()? });
            let mut collected = async_with!(file = file()?, { file.chars().collect::<Vec<_>>() });
            collected.pop();
            let empty: Vec<u8> = async_with!(_text = text(), { Vec::new() });
            let default: (u8, String) = async_with!(_text = text(), { Default::default() });
            async_with!(_text = text(), {});
            file()
                .with(async |text| Ok::<_, AppError>(text.len()))
                .await?;
            let parsed = text().run(async |text| text.parse::<u32>()).await;
            assert_eq!(parsed, Ok(12));
            let with: Result<u32, AppError> = file().with(async |text| Ok(text.parse()?)).await;
            Ok(number + with? + empty.len() as u32 + u32::from(default.0))
        }
        assert_eq!(block_on(number()).unwrap(), 24);
    }

    #[test]
    fn the_name_may_be_a_pattern_with_a_type() {
        #[async_context]
        async fn pair() -> (u32, String) {
            let mut pair = (1, String::from("one"));
            yield_resource!(pair);
            assert_eq!(pair, (2, "one!".into()));
        }
        block_on(async {
            async_with!((number, name) = pair(), {
                *number += 1;
                name.push('!');
            });
            async_with!(pair: &mut (u32, String) = pair(), { *pair = (2, "one!".into()) });
            async_with!(&mut (ref mut number, ref mut name) = pair(), {
                *number = 2;
                name.push('!');
            });
            async_with!(_ = text(), {});
        });
    }

    #[test]
    fn async_with_is_an_expression() {
        async fn length(text: &str) -> usize {
            text.len()
        }
        let sum = block_on(async {
            let array = [
                async_with!(text = text(), { text.len() }),
                length(&async_with!(text = text(), { text.clone() + "3" })).await,
            ];
            if async_with!(text = text(), { text.is_empty() }) {
                return 0;
            }
            array.iter().sum::<usize>() + async_with!(text = text(), { text.len() }) * 2
        });
        assert_eq!(sum, 9);
    }

    #[test]
    fn a_trailing_comma_is_allowed() {
        let length = block_on(async {
            async_with!(text = text(), other = text_of(text.clone()), {
                other.len()
            },)
        });
        assert_eq!(length, 2);

        #[async_context]
        async fn text_of(text: String) -> String {
            let mut text = text;
            yield_resource!(text);
        }
    }
}

#[test]
fn a_use_that_is_never_polled_runs_nothing() {
    let log = Log::new();
    let plan = Plan {
        log: log.clone(),
        enter: Fine,
        body: Fine,
        exit: Fine,
    };
    drop(by_block(plan.clone()));
    drop(by_with(plan.clone()));
    drop(by_guard(plan));
    assert_eq!(log.line(), "");
}

#[test]
fn enter_runs_at_the_first_poll_and_stops_at_the_yield() {
    let log = Log::new();
    let plan = Plan {
        log: log.clone(),
        enter: Fine,
        body: Fine,
        exit: Fine,
    };
    let mut using = std::pin::pin!(by_with(plan));
    let mut seen = Vec::new();
    while poll_once(using.as_mut()).is_pending() {
        seen.push(log.line());
    }
    assert_eq!(seen, ["enter", "body", "exit(Completed)"]);
}

#[test]
fn try_with_errors_have_a_message_and_a_source() {
    use std::error::Error;

    type Scope = TryWithError<u32, Failure, Failure>;
    let text = |error: Scope| (error.to_string(), error.source().map(ToString::to_string));
    assert_eq!(
        text(Scope::Enter(Failure("a"))),
        ("could not enter: a".into(), Some("a".into()))
    );
    assert_eq!(text(Scope::Body(Failure("b"))), ("b".into(), None));
    assert_eq!(
        text(Scope::Exit {
            value: 1,
            error: Failure("c")
        }),
        ("could not clean up: c".into(), Some("c".into()))
    );
    assert_eq!(
        text(Scope::BodyAndExit {
            body: Failure("b"),
            exit: Failure("c")
        }),
        ("b (and could not clean up: c)".into(), None)
    );
}

/// A future by hand, which has ended, and then its destructor panics.
struct Ended<T>(Option<T>);

impl<T: Unpin> Future for Ended<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(self.0.take().unwrap())
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        panic!("destructor");
    }
}

#[test]
fn the_error_of_a_driven_body_whose_destructor_panics_is_reported() {
    #[async_context]
    async fn context() -> Result<(), Failure> {
        yield_resource!();
        Ok(())
    }

    fn fails(_: &mut ()) -> Ended<Result<(), Failure>> {
        Ended(Some(Err(Failure("body"))))
    }

    take_reports();
    let mut guard = block_on(context().enter()).unwrap();
    let driven = guard_tests::panic_message(|| block_on(guard.drive(fails)));
    assert_eq!(driven, "destructor");
    assert_eq!(take_reports().len(), 1);
    block_on(guard.exit()).unwrap();
}

/// A context by hand, which fails, and then its destructor panics.
struct PanicsAfter(End);

impl AsyncContext for PanicsAfter {
    type Resource = ();
    type Error = Failure;

    fn poll_enter(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(match self.0 {
            Fails => Err(Failure("set-up")),
            _ => Ok(()),
        })
    }

    fn resource(self: Pin<&mut Self>) -> &mut () {
        Box::leak(Box::new(()))
    }

    fn poll_exit(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: Outcome,
    ) -> Poll<Result<(), Failure>> {
        Poll::Ready(Err(Failure("exit")))
    }
}

impl Drop for PanicsAfter {
    fn drop(&mut self) {
        panic!("destructor");
    }
}

#[test]
fn an_error_of_a_context_whose_destructor_panics_is_reported() {
    type Used = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

    take_reports();
    for end in [Fails, Fine] {
        let forms: [Used; 3] = [
            Box::pin(PanicsAfter(end).with(async |()| Ok(()))),
            Box::pin(async move {
                async_with!(_it = PanicsAfter(end)?, {});
                Ok(())
            }),
            Box::pin(async move { PanicsAfter(end).enter().await?.exit().await }),
        ];
        for (form, used) in forms.into_iter().enumerate() {
            let panic = guard_tests::panic_message(|| block_on(used));
            assert_eq!(panic, "destructor", "form {form}");
            let reports = take_reports();
            assert_eq!(reports.len(), 1, "form {form}: {reports:?}");
            let kind = if end == Fine {
                "Failed("
            } else {
                "SetUpFailed("
            };
            assert!(reports[0].starts_with(kind), "form {form}: {reports:?}");
        }
    }
}
