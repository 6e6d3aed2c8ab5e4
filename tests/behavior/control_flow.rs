//! Ways to leave a block: `return`, `break`, `continue` and `?`, with labels, in closures and in other macros.
#![allow(
    clippy::needless_question_mark,
    clippy::never_loop,
    reason = "the tests leave a block in every way"
)]

use std::convert::Infallible;
use std::num::ParseIntError;

use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, yield_once};

use crate::using::Failure;

#[async_context]
async fn logged(log: Log, name: &'static str) -> Result<u32, Failure> {
    let mut number = 0;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(match outcome {
        Outcome::Completed => name.to_owned(),
        other => format!("{name}({other:?})"),
    });
    Ok(())
}

#[async_context]
async fn infallible(log: Log) -> u32 {
    let mut number = 0;
    yield_resource!(number);
    yield_once().await;
    log.push("exit");
}

#[test]
fn return_leaves_the_function_after_the_exits() {
    async fn early(log: &Log) -> u32 {
        async_with!(
            _a = infallible(log.clone()),
            _b = infallible(log.clone()),
            {
                if log.take().is_empty() {
                    log.push("return");
                    return 7;
                }
            }
        );
        log.push("not reached");
        0
    }
    let log = Log::new();
    assert_eq!(block_on(early(&log)), 7);
    assert_eq!(log.line(), "return exit exit");
}

#[test]
fn a_bare_return_completes() {
    async fn early(log: &Log) {
        async_with!(_a = infallible(log.clone()), {
            log.push("return");
            return;
        });
    }
    let log = Log::new();
    block_on(early(&log));
    assert_eq!(log.line(), "return exit");
}

#[test]
fn a_returned_err_is_a_failure() {
    async fn result(log: &Log, value: Result<u8, Failure>) -> Result<u8, Failure> {
        async_with!(_a = logged(log.clone(), "exit")?, {
            return value;
        })
    }
    async fn option(log: &Log, value: Option<u8>) -> Option<u8> {
        async_with!(_a = logged(log.clone(), "exit").panic_on_error(), {
            return value;
        })
    }
    async fn literal(log: &Log) -> Result<u8, Failure> {
        async_with!(_a = logged(log.clone(), "exit")?, {
            return Err(Failure("literal"));
        })
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(result(&log, Ok(1)).await, Ok(1));
        assert_eq!(log.line(), "exit");
        assert_eq!(result(&log, Err(Failure("no"))).await, Err(Failure("no")));
        assert_eq!(log.line(), "exit(Failed(()))");
        assert_eq!(option(&log, Some(1)).await, Some(1));
        assert_eq!(log.line(), "exit");
        assert_eq!(option(&log, None).await, None);
        assert_eq!(log.line(), "exit");
        assert_eq!(literal(&log).await, Err(Failure("literal")));
        assert_eq!(log.line(), "exit(Failed(()))");
    });
}

/// Maps the error of a context to a panic.
trait PanicOnError: AsyncContext + Sized {
    fn panic_on_error(self) -> impl AsyncContext<Resource = Self::Resource, Error = Infallible>;
}

impl<C: AsyncContext<Error = Failure>> PanicOnError for C {
    fn panic_on_error(self) -> impl AsyncContext<Resource = Self::Resource, Error = Infallible> {
        self.map_err(|error: Failure| -> Infallible { panic!("{error}") })
    }
}

#[test]
fn break_and_continue_reach_the_loop_after_the_exit() {
    async fn looping(log: &Log) -> u32 {
        for turn in 0..5 {
            async_with!(number = infallible(log.clone()), {
                *number += turn;
                if turn == 0 {
                    continue;
                }
                if *number == 2 {
                    break;
                }
                log.push(turn);
            });
            log.push("next");
        }
        0
    }
    let log = Log::new();
    block_on(looping(&log));
    assert_eq!(log.line(), "exit 1 exit next exit");
}

#[test]
fn break_carries_a_value() {
    async fn looping(log: &Log) -> String {
        let mut turn = 0;
        loop {
            turn += 1;
            async_with!(_number = infallible(log.clone()), {
                if turn == 2 {
                    break format!("left in turn {turn}");
                }
            });
        }
    }
    let log = Log::new();
    assert_eq!(block_on(looping(&log)), "left in turn 2");
    assert_eq!(log.line(), "exit exit");
}

#[test]
fn labels_reach_outer_loops_and_blocks_through_several_contexts() {
    async fn looping(log: &Log) -> u32 {
        let mut sum = 0;
        'outer: for a in 0..10 {
            for b in 0..10 {
                async_with!(
                    _x = logged(log.clone(), "x").panic_on_error(),
                    _y = logged(log.clone(), "y").panic_on_error(),
                    {
                        if b == 1 {
                            continue 'outer;
                        }
                        if a == 2 {
                            break 'outer;
                        }
                    }
                );
                sum += 1;
            }
        }
        let labelled = 'block: {
            async_with!(_x = logged(log.clone(), "x").panic_on_error(), {
                if sum > 0 {
                    break 'block 100;
                }
            });
            0
        };
        sum + labelled
    }
    let log = Log::new();
    assert_eq!(block_on(looping(&log)), 102);
    assert_eq!(log.line(), "y x y x y x y x y x x");
}

#[test]
fn jumps_in_a_loop_inside_the_block_stay_in_the_block() {
    async fn looping(log: &Log) -> u32 {
        async_with!(number = infallible(log.clone()), {
            'inner: loop {
                while *number < 3 {
                    *number += 1;
                    if *number == 2 {
                        continue;
                    }
                    if *number == 3 {
                        break 'inner;
                    }
                }
                break;
            }
            let found = loop {
                *number += 1;
                if *number > 5 {
                    break *number;
                }
            };
            for _ in 0..3 {
                continue;
            }
            found
        })
    }
    let log = Log::new();
    assert_eq!(block_on(looping(&log)), 6);
    assert_eq!(log.line(), "exit");
}

#[test]
fn a_return_in_a_closure_or_an_async_block_leaves_only_that() {
    async fn inner(log: &Log) -> u32 {
        async_with!(_number = infallible(log.clone()), {
            let closure = |x: u32| {
                if x > 1 {
                    return x;
                }
                0
            };
            let block = async {
                if closure(2) == 2 {
                    return 1;
                }
                2
            };
            let parsed = (|| -> Result<u32, ParseIntError> { Ok("4".parse::<u32>()?) })();
            closure(3) + block.await + parsed.unwrap_or(0)
        })
    }
    let log = Log::new();
    assert_eq!(block_on(inner(&log)), 8);
    assert_eq!(log.line(), "exit");
}

#[test]
fn select_arms_may_leave_the_block() {
    async fn select(log: &Log, which: u32) -> Result<u32, Failure> {
        for turn in 0..3 {
            async_with!(_number = logged(log.clone(), "exit")?, {
                tokio::select! {
                    biased;
                    () = std::future::ready(()), if which == 0 => {
                        return Ok(10);
                    }
                    () = std::future::ready(()), if which == 1 => {
                        break;
                    }
                    () = std::future::ready(()), if which == 2 => {
                        continue;
                    }
                    () = std::future::ready(()), if which == 3 => {
                        Err(Failure("in an arm"))?;
                    }
                    () = std::future::ready(()), if which == 4 => {
                        loop {
                            break;
                        }
                        log.push("inner");
                    }
                    () = yield_once() => log.push("else"),
                }
            });
            log.push(turn);
        }
        Ok(1)
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(select(&log, 0).await, Ok(10));
        assert_eq!(log.line(), "exit");
        assert_eq!(select(&log, 1).await, Ok(1));
        assert_eq!(log.line(), "exit");
        assert_eq!(select(&log, 2).await, Ok(1));
        assert_eq!(log.line(), "exit exit exit");
        assert_eq!(select(&log, 3).await, Err(Failure("in an arm")));
        assert_eq!(log.line(), "exit(Failed(()))");
        assert_eq!(select(&log, 4).await, Ok(1));
        assert_eq!(log.line(), "inner exit 0 inner exit 1 inner exit 2");
        assert_eq!(select(&log, 5).await, Ok(1));
        assert_eq!(log.line(), "else exit 0 else exit 1 else exit 2");
    });
}

#[test]
fn let_else_and_macros_may_return() {
    macro_rules! bail {
        ($message:literal) => {
            return Err(Failure($message))
        };
    }
    async fn parse(log: &Log, text: &str) -> Result<u32, Failure> {
        Ok(async_with!(_number = logged(log.clone(), "exit")?, {
            let Ok(number) = text.parse::<u32>() else {
                return Err(Failure("no number"));
            };
            if number == 0 {
                bail!("zero");
            }
            let Some(half) = number.checked_sub(10) else {
                return Ok(number);
            };
            half
        }))
    }
    let log = Log::new();
    block_on(async {
        assert_eq!(parse(&log, "x").await, Err(Failure("no number")));
        assert_eq!(log.line(), "exit(Failed(()))");
        assert_eq!(parse(&log, "0").await, Err(Failure("zero")));
        assert_eq!(log.line(), "exit(Failed(()))");
        assert_eq!(parse(&log, "3").await, Ok(3));
        assert_eq!(log.line(), "exit");
        assert_eq!(parse(&log, "12").await, Ok(2));
        assert_eq!(log.line(), "exit");
    });
}

#[test]
fn question_marks_on_options_leave_functions_that_return_options() {
    async fn first(log: &Log, numbers: &[u32]) -> Option<u32> {
        async_with!(_number = infallible(log.clone()), {
            let first = numbers.first()?;
            Some(*first)
        })
    }
    let log = Log::new();
    assert_eq!(block_on(first(&log, &[4])), Some(4));
    assert_eq!(block_on(first(&log, &[])), None);
    assert_eq!(log.line(), "exit exit");
}

#[test]
fn a_return_leaves_the_enclosing_async_block() {
    let log = Log::new();
    let result: Result<u32, Failure> = block_on(async {
        let number = async_with!(_number = logged(log.clone(), "exit")?, {
            if log.take().is_empty() {
                return Ok(3);
            }
            4
        });
        Ok(number)
    });
    assert_eq!((result, log.line().as_str()), (Ok(3), "exit"));
}
