//! Contexts made of contexts: the inner contexts get the outcome of the outer one.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, yield_once};

use crate::reports;

#[derive(Debug, PartialEq)]
struct Failure(&'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[async_context]
async fn inner(log: Log, name: &'static str) -> Result<u32, Failure> {
    let mut number = 1;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(format_args!("{name}({outcome:?})"));
    if name == "broken" {
        return Err(Failure("broken"));
    }
    Ok(())
}

/// A context whose block ends with a value for every outcome.
#[async_context]
async fn indifferent(log: Log) -> Result<u32, Failure> {
    let text = async_with!(number = inner(log.clone(), "inner")?, {
        let outcome = yield_resource!(*number);
        log.push(format_args!("outer({outcome:?})"));
        "a value"
    });
    log.push(text.len());
    Ok(())
}

/// A context made of three, with the yield in an expression.
#[async_context]
async fn deep(log: Log) -> Result<u32, Failure> {
    async_with!(
        _a = inner(log.clone(), "a")?,
        _b = inner(log.clone(), "b")?,
        {
            async_with!(c = inner(log.clone(), "c")?, {
                if yield_resource!(*c).is_failed() {
                    log.push("saw the failure");
                }
            });
            log.push("between");
        }
    );
    Ok(())
}

/// A context that leaves its inner block by `return`.
#[async_context]
async fn returning(log: Log) -> Result<u32, Failure> {
    async_with!(number = inner(log.clone(), "inner")?, {
        yield_resource!(*number);
        return Ok(());
    })
}

/// A context that leaves its inner block by `break`.
#[async_context]
async fn breaking(log: Log) -> Result<u32, Failure> {
    'block: {
        async_with!(number = inner(log.clone(), "inner")?, {
            yield_resource!(*number);
            break 'block;
        });
    }
    Ok(())
}

/// A context whose inner block fails after the yield.
#[async_context]
async fn failing(log: Log) -> Result<u32, Failure> {
    async_with!(number = inner(log.clone(), "inner")?, {
        yield_resource!(*number);
        Err(Failure("own"))?;
    });
    Ok(())
}

/// A context whose inner exit fails.
#[async_context]
async fn over_broken(log: Log) -> Result<u32, Failure> {
    async_with!(number = inner(log.clone(), "broken")?, {
        yield_resource!(*number);
    });
    log.push("not reached");
    Ok(())
}

/// A context with another use beside the yield.
#[async_context]
async fn beside(log: Log) -> Result<u32, Failure> {
    async_with!(_before = inner(log.clone(), "before")?, {});
    let mut number = 1;
    yield_resource!(number);
    async_with!(_after = inner(log.clone(), "after")?, {});
    Ok(())
}

/// The log for each way to end the body: completed, failed, panicked.
fn logs_by_ending<C>(context: impl Fn(Log) -> C) -> [String; 3]
where
    C: AsyncContext<Resource = u32, Error = Failure>,
{
    reports::collect();
    let log = Log::new();
    let completed = block_on(context(log.clone()).with(async |_| Ok(())));
    log.push(match completed {
        Ok(()) => "ok",
        Err(Failure(what)) => what,
    });
    let completed = log.line();

    let failed = block_on(context(log.clone()).with(async |_| Err::<(), _>(Failure("body"))));
    assert_eq!(failed, Err(Failure("body")));
    let failed = log.line();

    let panicking = context(log.clone()).with(async |_| -> Result<(), Failure> { panic!("body") });
    let payload = catch_unwind(AssertUnwindSafe(|| block_on(panicking))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"body"));
    [completed, failed, log.line()]
}

#[test]
fn inner_contexts_get_the_outer_outcome_for_any_value_of_the_block() {
    assert_eq!(
        logs_by_ending(indifferent),
        [
            "outer(Completed) inner(Completed) 7 ok",
            "outer(Failed(())) inner(Failed(())) 7",
            "outer(Panicked) inner(Panicked) 7"
        ]
    );
}

#[test]
fn every_context_around_the_yield_gets_the_outcome() {
    assert_eq!(
        logs_by_ending(deep),
        [
            "c(Completed) between b(Completed) a(Completed) ok",
            "saw the failure c(Failed(())) between b(Failed(())) a(Failed(()))",
            "c(Panicked) between b(Panicked) a(Panicked)"
        ]
    );
}

#[test]
fn inner_contexts_get_the_outcome_when_the_block_is_left_by_a_jump() {
    let expected = [
        "inner(Completed) ok",
        "inner(Failed(()))",
        "inner(Panicked)",
    ];
    assert_eq!(logs_by_ending(returning), expected);
    assert_eq!(logs_by_ending(breaking), expected);
}

#[test]
fn an_error_of_the_block_itself_is_a_failure() {
    let [completed, failed, panicked] = logs_by_ending(failing);
    assert_eq!(completed, "inner(Failed(())) own");
    assert_eq!(failed, "inner(Failed(()))");
    assert_eq!(panicked, "inner(Failed(()))");
}

#[test]
fn an_inner_exit_that_fails_fails_the_outer_one() {
    assert_eq!(
        logs_by_ending(over_broken),
        [
            "broken(Completed) broken",
            "broken(Failed(()))",
            "broken(Panicked)"
        ]
    );
}

#[test]
fn uses_before_and_after_the_yield_complete() {
    assert_eq!(
        logs_by_ending(beside),
        [
            "before(Completed) after(Completed) ok",
            "before(Completed) after(Completed)",
            "before(Completed) after(Completed)"
        ]
    );
}

#[test]
fn the_yield_can_be_in_a_select_in_the_block() {
    #[async_context]
    async fn selecting(log: Log) -> Result<u32, Failure> {
        async_with!(number = inner(log.clone(), "inner")?, {
            tokio::select! {
                biased;
                () = std::future::pending() => {}
                () = std::future::ready(()) => {
                    let outcome = yield_resource!(*number);
                    log.push(format_args!("outer({outcome:?})"));
                }
            }
        });
        Ok(())
    }
    assert_eq!(
        logs_by_ending(selecting),
        [
            "outer(Completed) inner(Completed) ok",
            "outer(Failed(())) inner(Failed(()))",
            "outer(Panicked) inner(Panicked)"
        ]
    );
}

#[test]
fn a_catching_context_decides_by_its_return_value() {
    #[async_context(catch)]
    async fn forgiving(log: Log, forgives: bool) -> Result<u32, Failure> {
        async_with!(number = inner(log.clone(), "inner")?, {
            match yield_resource!(*number) {
                Outcome::Failed(error) if forgives => log.push(error),
                Outcome::Failed(error) => return Err(error),
                _ => {}
            }
        });
        Ok(())
    }

    let log = Log::new();
    let fail = async |_: &mut u32| Err::<(), _>(Failure("body"));
    assert_eq!(block_on(forgiving(log.clone(), true).catch(fail)), Ok(None));
    assert_eq!(log.line(), "body inner(Completed)");
    let returned = block_on(forgiving(log.clone(), false).catch(fail));
    assert_eq!(returned, Err(Failure("body")));
    assert_eq!(log.line(), "inner(Failed(()))");
}

#[test]
fn the_name_of_a_resource_lends_what_it_refers_to() {
    #[async_context]
    async fn alone(log: Log) -> Result<u32, Failure> {
        async_with!(number = inner(log, "inner")?, {
            *number += 1;
            yield_resource!(number);
        });
        Ok(())
    }

    #[async_context]
    async fn one_of_several(log: Log) -> Result<u32, Failure> {
        async_with!(
            join(a = alone(log.clone())?, b = alone(log.clone())?),
            c = alone(log)?,
            {
                *a += *b + *c;
                yield_resource!(a);
            }
        );
        Ok(())
    }

    #[async_context]
    async fn beside(log: Log) -> Result<u32, Failure> {
        async_with!(number = one_of_several(log)?, {
            yield_resource!(number, async { Ok(()) });
        });
        Ok(())
    }

    let log = Log::new();
    let six = block_on(beside(log.clone()).with(async |number| Ok::<_, Failure>(*number)));
    assert_eq!(six, Ok(6));
    assert_eq!(
        log.line(),
        "inner(Completed) inner(Completed) inner(Completed)"
    );
}

#[test]
#[deny(unused_mut)]
fn another_value_of_the_name_of_a_resource_is_lent_as_it_is() {
    #[async_context]
    async fn doubled(log: Log) -> Result<u32, Failure> {
        async_with!(number = inner(log, "inner")?, {
            let mut number = *number * 2;
            yield_resource!(number);
        });
        Ok(())
    }

    let log = Log::new();
    let two = block_on(doubled(log).with(async |number| Ok::<_, Failure>(*number)));
    assert_eq!(two, Ok(2));
}
