//! `catch(…)` and `attempt(…)`: what happens to the error of a `?` in the block.

use std::num::ParseIntError;

use guard_core::{Outcome, async_context, async_with, within, yield_resource};
use guard_tests::{Log, block_on};

use crate::reports;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure(&'static str);

impl From<ParseIntError> for Failure {
    fn from(_: ParseIntError) -> Self {
        Self("no number")
    }
}

/// A context that swallows the failure with this text.
#[async_context(scoped, catch)]
async fn swallows(log: Log, swallowed: &'static str) -> Result<u8, Failure> {
    let mut number = 1;
    let outcome = yield_resource!(number);
    log.push(format_args!("{outcome:?}"));
    match outcome {
        Outcome::Failed(error) if error.0 != swallowed => Err(error),
        _ => Ok(()),
    }
}

#[async_context(scoped)]
async fn plain(log: Log, enters: bool, exits: bool) -> Result<u8, Failure> {
    let mut number = 1;
    if !enters {
        return Err(Failure("enter"));
    }
    let outcome = yield_resource!(number);
    log.push(format_args!("{outcome:?}"));
    if exits { Ok(()) } else { Err(Failure("exit")) }
}

#[test]
fn a_question_mark_hands_its_error_to_the_context() {
    async fn parse(log: &Log, text: &str, swallowed: &'static str) -> Result<Option<u8>, Failure> {
        let number = async_with!(catch(one = swallows(log.clone(), swallowed)?), {
            let number: u8 = text.parse()?;
            number + *one
        });
        log.push("behind");
        Ok(number)
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(parse(&log, "1", "no number").await, Ok(Some(2)));
        assert_eq!(log.line(), "Completed behind");
        assert_eq!(parse(&log, "?", "no number").await, Ok(None));
        assert_eq!(log.line(), "Failed(Failure(\"no number\")) behind");
        assert_eq!(parse(&log, "?", "").await, Err(Failure("no number")));
        assert_eq!(log.line(), "Failed(Failure(\"no number\"))");
    });
}

#[test]
fn a_catching_context_gets_the_errors_of_later_contexts() {
    async fn both(log: &Log, enters: bool, exits: bool) -> Result<Option<u8>, Failure> {
        Ok(async_with!(
            catch(one = swallows(log.clone(), "enter")?),
            two = plain(log.clone(), enters, exits)?,
            { *one + *two }
        ))
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(both(&log, true, true).await, Ok(Some(2)));
        assert_eq!(log.line(), "Completed Completed");
        assert_eq!(both(&log, false, true).await, Ok(None));
        assert_eq!(log.line(), "Failed(Failure(\"enter\"))");
        assert_eq!(both(&log, true, false).await, Err(Failure("exit")));
        assert_eq!(log.line(), "Completed Failed(Failure(\"exit\"))");
    });
}

#[test]
fn return_break_and_continue_are_no_errors() {
    #[expect(
        unused_must_use,
        reason = "it looks at an `Err` that was not handed to the context"
    )]
    async fn leave(log: &Log, how: u8) -> Result<u8, Failure> {
        let mut turns = 0;
        let left = loop {
            turns += 1;
            let value = async_with!(catch(_one = swallows(log.clone(), "body")?), {
                match how {
                    0 => return Ok(10),
                    1 => return Err(Failure("body")),
                    2 => break 20,
                    3 if turns < 3 => continue,
                    3 => Ok(30),
                    _ => Err(Failure("body")),
                }
            });
            match value {
                Some(Ok(value)) => break value,
                Some(Err(error)) => {
                    assert_eq!(error, Failure("body"));
                    break 40;
                }
                None => unreachable!("there is no `?`"),
            }
        };
        Ok(left)
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(leave(&log, 0).await, Ok(10));
        assert_eq!(log.line(), "Completed");
        assert_eq!(leave(&log, 1).await, Err(Failure("body")));
        assert_eq!(log.line(), "Cancelled", "only a `?` reaches it");
        assert_eq!(leave(&log, 2).await, Ok(20));
        assert_eq!(log.line(), "Completed");
        assert_eq!(leave(&log, 3).await, Ok(30));
        assert_eq!(log.line(), "Completed Completed Completed");
        assert_eq!(leave(&log, 4).await, Ok(40));
        assert_eq!(log.line(), "Cancelled", "only a `?` reaches it");
    });
}

#[test]
fn the_value_of_an_attempt_is_a_result() {
    async fn attempt(log: &Log, text: &str, enters: bool, exits: bool) -> Result<u8, Failure> {
        let result = async_with!(attempt(one = plain(log.clone(), enters, exits)?), {
            let number: u8 = text.parse()?;
            number + *one
        });
        log.push("behind");
        result
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(attempt(&log, "1", true, true).await, Ok(2));
        assert_eq!(log.line(), "Completed behind");
        assert_eq!(
            attempt(&log, "?", true, true).await,
            Err(Failure("no number"))
        );
        assert_eq!(log.line(), "Failed(()) behind");
        assert_eq!(attempt(&log, "1", false, true).await, Err(Failure("enter")));
        assert_eq!(log.line(), "behind");
        assert_eq!(attempt(&log, "1", true, false).await, Err(Failure("exit")));
        assert_eq!(log.line(), "Completed behind");
    });
}

#[test]
fn the_error_of_an_attempt_can_be_named() {
    async fn number(log: &Log, text: &str) -> u8 {
        let number = async_with!(attempt::<Failure>(one = plain(log.clone(), true, true)?), {
            let number: u8 = text.parse()?;
            number + *one
        });
        number.unwrap_or_default()
    }
    let log = Log::new();
    assert_eq!(block_on(number(&log, "1")), 2);
    assert_eq!(block_on(number(&log, "?")), 0);
}

#[test]
fn a_value_that_is_an_err_stays_the_value_of_an_attempt() {
    async fn attempt(log: &Log) -> Result<Result<u8, &'static str>, Failure> {
        async_with!(attempt(_one = plain(log.clone(), true, true)?), {
            Err("the value")
        })
    }
    let log = Log::new();
    assert_eq!(block_on(attempt(&log)), Ok(Err("the value")));
    assert_eq!(log.line(), "Failed(())");
}

#[test]
fn an_attempt_is_retried_in_a_loop() {
    async fn retried(log: &Log, texts: &[&str]) -> Option<u8> {
        for text in texts {
            let parsed: Result<u8, Failure> =
                async_with!(attempt(_one = plain(log.clone(), true, true)?), {
                    if text.is_empty() {
                        break;
                    }
                    text.parse()?
                });
            match parsed {
                Ok(number) => return Some(number),
                Err(_) => continue,
            }
        }
        None
    }
    let log = Log::new();
    assert_eq!(block_on(retried(&log, &["a", "b", "3", "4"])), Some(3));
    assert_eq!(log.line(), "Failed(()) Failed(()) Completed");
    assert_eq!(block_on(retried(&log, &["a", "", "3"])), None);
    assert_eq!(log.line(), "Failed(()) Completed");
}

#[test]
fn an_exit_error_that_an_attempt_does_not_return_is_reported() {
    async fn attempt(log: &Log) -> Result<u8, Failure> {
        async_with!(attempt(_one = plain(log.clone(), true, false)?), {
            "?".parse::<u8>()?
        })
    }
    reports::collect();
    let log = Log::new();
    assert_eq!(block_on(attempt(&log)), Err(Failure("no number")));
    assert_eq!(reports::take(), ["Failed(Failure(\"exit\"))"]);
}

#[test]
fn a_function_within_a_catching_context_returns_ok_when_the_error_was_swallowed() {
    #[within(catch(_one = swallows(log.clone(), "no number")?))]
    async fn checked(log: &Log, text: &str) -> Result<(), Failure> {
        let number: u8 = text.parse()?;
        if number == 0 {
            return Err(Failure("zero"));
        }
        Ok(())
    }
    #[within(catch(_one = swallows(log.clone(), "no number")?))]
    async fn parsed(log: &Log, text: &str) -> Result<Option<u8>, Failure> {
        Ok(Some(text.parse()?))
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(checked(&log, "1").await, Ok(()));
        assert_eq!(checked(&log, "?").await, Ok(()));
        assert_eq!(checked(&log, "0").await, Err(Failure("zero")));
        assert_eq!(parsed(&log, "1").await, Ok(Some(1)));
        assert_eq!(parsed(&log, "?").await, Ok(None));
        assert_eq!(
            log.line(),
            "Completed Failed(Failure(\"no number\")) Cancelled Completed \
             Failed(Failure(\"no number\"))"
        );
    });
}

#[test]
fn a_function_within_an_attempt_returns_every_error() {
    #[within(attempt(one = plain(log.clone(), enters, true)?))]
    async fn parsed(log: &Log, text: &str, enters: bool) -> Result<u8, Failure> {
        let number: u8 = text.parse()?;
        Ok(number + *one)
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(parsed(&log, "1", true).await, Ok(2));
        assert_eq!(parsed(&log, "?", true).await, Err(Failure("no number")));
        assert_eq!(parsed(&log, "1", false).await, Err(Failure("enter")));
        assert_eq!(log.line(), "Completed Failed(())");
    });
}

/// A value whose type only the use of the block tells.
#[test]
fn the_value_of_a_catching_block_may_have_a_type_that_comes_later() {
    async fn parsed<T: std::str::FromStr>() -> T {
        "7".parse().ok().unwrap()
    }

    let log = Log::new();
    let number: Option<u32> = block_on(async {
        let value = async_with!(catch(_it = swallows(log.clone(), "enter")?), {
            parsed().await
        });
        Ok::<_, Failure>(value)
    })
    .unwrap();
    assert_eq!(number, Some(7));
}
