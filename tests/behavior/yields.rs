//! Where a `yield_resource!` can be written, and what its value is.

use std::fmt;

use guard_core::{AsyncContext, Outcome, async_context, async_with, yield_resource};
use guard_tests::{Log, block_on, yield_once};

fn number(
    context: impl AsyncContext<Resource = u32, Error = fmt::Error>,
) -> Result<u32, fmt::Error> {
    block_on(context.with(async |number| Ok(*number)))
}

#[async_context]
async fn branches(which: u32) -> Result<u32, fmt::Error> {
    let mut one = 1;
    let mut two = 2;
    if which == 1 {
        yield_resource!(one);
    } else if which == 2 {
        yield_resource!(two);
    } else {
        return Err(fmt::Error);
    }
    Ok(())
}

#[async_context]
async fn arms(which: Option<u32>) -> Result<u32, fmt::Error> {
    match which {
        Some(mut number) if number > 5 => {
            yield_resource!(number);
            Ok(())
        }
        Some(_) => return Err(fmt::Error),
        None => Err(fmt::Error),
    }
}

#[async_context]
async fn retries(attempts: u32) -> Result<u32, fmt::Error> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        if attempt < attempts {
            yield_once().await;
            continue;
        }
        yield_resource!(attempt);
        break;
    }
    Ok(())
}

#[async_context]
async fn after_a_question_mark(text: &'static str) -> Result<u32, fmt::Error> {
    let mut number = text.parse::<u32>().map_err(|_| fmt::Error)?;
    yield_resource!(number);
    let _: u32 = text.parse().map_err(|_| fmt::Error)?;
    Ok(())
}

#[async_context]
async fn tail_error(text: &'static str) -> Result<u32, fmt::Error> {
    if let Ok(mut number) = text.parse::<u32>() {
        yield_resource!(number);
        Ok(())
    } else {
        Err(fmt::Error)
    }
}

#[async_context]
async fn labelled(skip: bool) -> Result<u32, fmt::Error> {
    let mut number = 1;
    'done: {
        if skip {
            yield_resource!(number);
            break 'done;
        }
        number += 1;
        yield_resource!(number);
    }
    Ok(())
}

#[async_context]
async fn returned_after_the_yield(number: u32) -> Result<u32, fmt::Error> {
    let mut number = number;
    yield_resource!(number);
    if number > 1 {
        return Ok(());
    }
    return Err(fmt::Error);
}

#[test]
fn each_path_may_have_its_own_yield() {
    assert_eq!(number(branches(1)), Ok(1));
    assert_eq!(number(branches(2)), Ok(2));
    assert_eq!(number(branches(3)), Err(fmt::Error));
    assert_eq!(number(arms(Some(7))), Ok(7));
    assert_eq!(number(arms(Some(1))), Err(fmt::Error));
    assert_eq!(number(arms(None)), Err(fmt::Error));
    assert_eq!(number(labelled(true)), Ok(1));
    assert_eq!(number(labelled(false)), Ok(2));
}

#[test]
fn a_path_that_fails_to_enter_needs_no_yield() {
    assert_eq!(number(after_a_question_mark("12")), Ok(12));
    assert_eq!(number(after_a_question_mark("twelve")), Err(fmt::Error));
    assert_eq!(number(tail_error("12")), Ok(12));
    assert_eq!(number(tail_error("twelve")), Err(fmt::Error));
}

#[test]
fn a_loop_that_is_left_after_the_yield_yields_once() {
    assert_eq!(number(retries(3)), Ok(3));
}

#[test]
fn a_return_value_after_the_yield_is_the_result_of_the_exit() {
    assert_eq!(number(returned_after_the_yield(2)), Ok(2));
    assert_eq!(number(returned_after_the_yield(1)), Err(fmt::Error));
}

mod as_an_expression {
    use super::*;

    #[async_context]
    async fn scrutinee(log: Log) -> u32 {
        let mut number = 1;
        match yield_resource!(number) {
            Outcome::Completed => log.push("completed"),
            Outcome::Failed(()) => log.push("failed"),
            Outcome::Panicked => log.push("panicked"),
            Outcome::Cancelled => log.push("cancelled"),
        }
    }

    #[async_context]
    async fn condition(log: Log) -> u32 {
        let mut number = 1;
        if yield_resource!(number).is_completed() && number == 2 {
            log.push("changed");
        }
    }

    #[async_context]
    async fn binding(log: Log) -> u32 {
        let mut number = 1;
        if let Outcome::Completed = yield_resource!(number) {
            log.push("let");
        }
    }

    #[async_context]
    async fn let_else(log: Log) -> u32 {
        let mut number = 1;
        let Outcome::Completed = yield_resource!(number) else {
            return;
        };
        log.push("else");
    }

    #[async_context]
    async fn argument(log: Log) -> u32 {
        let mut number = 1;
        log.push(format_args!("{:?}", yield_resource!(number)));
    }

    fn log_outcome(log: &Log, outcome: Outcome) {
        log.push(format_args!("{outcome:?}"));
    }

    #[async_context]
    async fn tail(log: Log) -> u32 {
        let mut number = 1;
        log_outcome(&log, yield_resource!(number))
    }

    #[async_context]
    async fn statement_in_braces(log: Log) -> u32 {
        let mut number = 1;
        yield_resource! { number }
        log.push("braces");
    }

    #[async_context]
    async fn by_path(log: Log) -> u32 {
        let mut number = 1;
        guard_core::yield_resource!(number);
        log.push("path");
    }

    #[test]
    fn the_value_of_a_yield_is_the_outcome_in_every_expression() {
        macro_rules! run {
            ($context:ident) => {{
                let log = Log::new();
                block_on($context(log.clone()).run(async |number| *number += 1));
                log.line()
            }};
        }
        assert_eq!(run!(scrutinee), "completed");
        assert_eq!(run!(condition), "changed");
        assert_eq!(run!(binding), "let");
        assert_eq!(run!(let_else), "else");
        assert_eq!(run!(argument), "Completed");
        assert_eq!(run!(tail), "Completed");
        assert_eq!(run!(statement_in_braces), "braces");
        assert_eq!(run!(by_path), "path");
    }
}

mod places {
    use super::*;

    struct Pair {
        left: Vec<u32>,
        right: [u32; 2],
    }

    #[async_context]
    async fn field() -> Vec<u32> {
        let mut pair = Pair {
            left: vec![1],
            right: [2, 3],
        };
        yield_resource!(pair.left);
        assert_eq!((pair.left.len(), pair.right), (2, [2, 3]));
    }

    #[async_context]
    async fn element() -> u32 {
        let mut pair = Pair {
            left: vec![1],
            right: [2, 3],
        };
        yield_resource!(pair.right[1]);
        assert_eq!(pair.right, [2, 4]);
        drop(pair.left);
    }

    #[async_context]
    async fn dereferenced() -> u32 {
        let mut number = Box::new(3);
        yield_resource!(*number);
        assert_eq!(*number, 4);
    }

    #[async_context(scoped)]
    async fn reborrowed(number: &mut u32) -> u32 {
        yield_resource!(*number);
        *number += 10;
    }

    #[async_context]
    async fn temporary() -> u32 {
        yield_resource!(1 + 2);
    }

    #[async_context]
    async fn converted(small: u8) -> u32 {
        yield_resource!(small as u32);
    }

    #[async_context]
    async fn reference() -> u32 {
        let mut number = 3;
        yield_resource!(&mut number);
        assert_eq!(number, 4);
    }

    #[test]
    fn any_place_expression_can_be_lent() {
        block_on(async {
            field().run(async |left| left.push(9)).await;
            element().run(async |number| *number += 1).await;
            dereferenced().run(async |number| *number += 1).await;
            reference().run(async |number| *number += 1).await;
            assert_eq!(temporary().run(async |number| *number).await, 3);
            assert_eq!(converted(5).run(async |number| *number).await, 5);
            let mut number = 1;
            reborrowed(&mut number)
                .run(async |number| *number += 1)
                .await;
            assert_eq!(number, 12);
        });
    }
}

mod in_other_macros {
    use super::*;

    #[async_context]
    async fn asserted(log: Log) -> u32 {
        let mut number = 1;
        assert!(yield_resource!(number).is_completed());
        log.push("asserted");
    }

    #[async_context]
    async fn matched(log: Log) -> u32 {
        let mut number = 1;
        log.push(matches!(yield_resource!(number), Outcome::Completed));
    }

    #[async_context]
    async fn formatted(log: Log) -> u32 {
        let mut number = 1;
        let text = format!("{:?}", yield_resource!(number));
        log.push(text);
    }

    #[async_context]
    async fn selected(log: Log) -> u32 {
        let mut number = 1;
        tokio::select! {
            biased;
            () = std::future::pending() => unreachable!(),
            () = std::future::ready(()) => {
                yield_resource!(number);
            }
        }
        log.push("selected");
    }

    #[async_context]
    async fn joined(log: Log) -> u32 {
        let mut number = 1;
        let mut other = 0;
        futures::join!(
            async {
                for _ in 0..5 {
                    yield_once().await;
                    other += 1;
                }
            },
            std::future::ready(()),
        );
        let outcome = [yield_resource!(number)];
        log.push(format_args!("{outcome:?} {other}"));
    }

    #[test]
    fn the_yield_can_be_in_the_arguments_of_a_macro() {
        macro_rules! run {
            ($context:ident) => {{
                let log = Log::new();
                block_on($context(log.clone()).run(async |number| *number += 1));
                log.line()
            }};
        }
        assert_eq!(run!(asserted), "asserted");
        assert_eq!(run!(matched), "true");
        assert_eq!(run!(formatted), "Completed");
        assert_eq!(run!(selected), "selected");
        assert_eq!(run!(joined), "[Completed] 5");
    }

    macro_rules! ignore {
        ($($tokens:tt)*) => {
            ()
        };
    }

    #[async_context]
    async fn ignored() -> u32 {
        ignore!(yield_resource!(0));
    }

    #[test]
    #[should_panic(expected = "ignored` returned without reaching its `yield_resource!`")]
    fn entering_panics_when_a_macro_discards_the_yield() {
        block_on(ignored().run(async |_| ()));
    }
}

#[async_context]
async fn around(log: Log) -> u32 {
    async_with!(number = around_inner(log.clone()), {
        yield_resource!(*number);
    });
    log.push("outer");
}

#[async_context]
async fn around_inner(log: Log) -> u32 {
    let mut number = 41;
    yield_resource!(number);
    log.push("inner");
}

#[test]
fn the_yield_can_be_in_the_block_of_another_context() {
    let log = Log::new();
    let number = block_on(around(log.clone()).run(async |number| {
        *number += 1;
        *number
    }));
    assert_eq!((number, log.line().as_str()), (42, "inner outer"));
}

#[test]
fn a_method_with_a_mutable_self_lends_it() {
    #[derive(Debug, PartialEq)]
    struct Rows(Vec<u32>);

    impl Rows {
        #[async_context(scoped)]
        async fn savepoint(&mut self) -> Result<Self, fmt::Error> {
            let before = self.0.len();
            if !yield_resource!(self).is_completed() {
                self.0.truncate(before);
            }
            Ok(())
        }
    }

    let mut rows = Rows(vec![1]);
    let failed = block_on(rows.savepoint().with(async |rows| {
        rows.0.push(2);
        Err::<(), _>(fmt::Error)
    }));
    assert!(failed.is_err());
    assert_eq!(rows, Rows(vec![1]));
}
