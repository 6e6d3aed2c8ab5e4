//! Contexts in streams that the macros of `async-stream` make.
//!
//! They give their own meaning to `yield` and `?`, also to a `yield` in the arguments of another macro, but not to a
//! `?` there. So in `try_stream!` a use whose block or context may fail is an `attempt(…)`, whose value has the `?`.

use std::pin::pin;

use async_stream::{stream, try_stream};
use futures::{Stream, StreamExt};
use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, poll_once};

#[async_context]
async fn connection(log: Log, fails: &'static str) -> Result<u32, String> {
    if fails == "set-up" {
        return Err(fails.to_string());
    }
    let mut lent = 0;
    let outcome = yield_resource!(lent);
    log.push(format_args!("{outcome:?}"));
    if fails == "clean-up" {
        return Err(fails.to_string());
    }
    Ok(())
}

#[async_context]
async fn infallible(log: Log) -> u32 {
    let mut lent = 0;
    let outcome = yield_resource!(lent);
    log.push(format_args!("{outcome:?}"));
}

fn numbers(log: Log, fails: &'static str) -> impl Stream<Item = Result<u32, String>> {
    try_stream! {
        let streamed: Result<(), String> = async_with!(attempt(c = connection(log, fails)?), {
            for number in 1..3 {
                *c += number;
                yield *c;
                if fails == "block" {
                    Err(fails.to_string())?;
                }
            }
        });
        streamed?;
        yield 100;
    }
}

fn all<T>(stream: impl Stream<Item = T>) -> Vec<T> {
    block_on(stream.collect())
}

#[test]
fn a_context_is_used_for_the_time_of_several_items() {
    let log = Log::new();
    assert_eq!(all(numbers(log.clone(), "")), [Ok(1), Ok(3), Ok(100)]);
    assert_eq!(log.line(), "Completed");
}

#[test]
fn a_question_mark_ends_the_stream_after_the_exit() {
    let log = Log::new();
    let error = |text: &str| Err(text.to_string());
    let items = all(numbers(log.clone(), "block"));
    assert_eq!(items, [Ok(1), error("block")]);
    assert_eq!(log.line(), "Failed(())");
    let items = all(numbers(log.clone(), "set-up"));
    assert_eq!(items, [error("set-up")]);
    assert_eq!(log.line(), "");
    let items = all(numbers(log.clone(), "clean-up"));
    assert_eq!(items, [Ok(1), Ok(3), error("clean-up")]);
    assert_eq!(log.line(), "Completed");
}

#[test]
fn a_stream_that_is_dropped_half_way_is_a_cancelled_use() {
    let log = Log::new();
    {
        let mut numbers = pin!(numbers(log.clone(), ""));
        assert!(poll_once(pin!(numbers.next())).is_ready());
        assert_eq!(log.line(), "");
    }
    assert_eq!(log.line(), "Cancelled");
}

#[test]
fn a_stream_without_a_result_uses_a_context_that_cannot_fail() {
    let log = Log::new();
    let given = log.clone();
    let numbers = stream! {
        async_with!(c = infallible(given), {
            for number in 1..3 {
                *c += number;
                yield *c;
            }
        });
    };
    assert_eq!(all(numbers), [1, 3]);
    assert_eq!(log.line(), "Completed");
}

#[test]
fn a_guard_in_a_stream_is_cancelled_by_a_question_mark() {
    let numbers = |log: Log, fails: bool| {
        try_stream! {
            let mut c = connection(log, "").enter().await?;
            *c += 1;
            yield *c;
            if fails {
                Err::<(), _>("block".to_string())?;
            }
            c.exit().await?;
        }
    };
    let log = Log::new();
    assert_eq!(all(numbers(log.clone(), false)), [Ok::<_, String>(1)]);
    assert_eq!(log.line(), "Completed");
    assert_eq!(
        all(numbers(log.clone(), true)),
        [Ok(1), Err("block".to_string())]
    );
    assert_eq!(log.line(), "Cancelled");
}
