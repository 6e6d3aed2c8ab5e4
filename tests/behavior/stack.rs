//! The exit stack, one feature in each test. `stack_model` runs random programs with it.

use std::cell::RefCell;
use std::error::Error as _;
use std::future::pending;
use std::num::ParseIntError;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures::FutureExt;
use guard_core::{
    AsyncContext, AsyncExitStack, ExitErrors, Outcome, ScopedExitStack, TryWithError,
    async_context, async_with, exit_stack, nullcontext, scoped_exit_stack, yield_resource,
};
use guard_tests::{Dropped, Log, block_on, panic_message, poll_once, yield_once};

use crate::reports;

/// A context that lends its name, and logs its entering and its exit.
#[async_context]
async fn traced(log: Log, name: &'static str) -> Result<String, String> {
    log.push(format_args!("enter({name})"));
    let mut lent = name.to_string();
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({lent}, {outcome:?})"));
    Ok(())
}

/// A context whose exit needs three polls.
#[async_context]
async fn slow(log: Log, name: &'static str) -> Result<(), String> {
    let outcome = yield_resource!();
    log.push(format_args!("exit({name}, {outcome:?})"));
    yield_once().await;
    log.push(format_args!("half({name})"));
    yield_once().await;
    log.push(format_args!("exited({name})"));
    Ok(())
}

/// A context whose exit fails.
#[async_context]
async fn failing(name: &'static str) -> Result<(), String> {
    yield_resource!();
    Err(name.to_string())
}

#[async_context]
async fn panicking(name: &'static str) -> Result<(), String> {
    yield_resource!();
    std::panic::panic_any(name)
}

/// Adds an entry that logs its outcome.
fn watch(stack: &AsyncExitStack<String>, log: &Log, name: &'static str) {
    let log = log.clone();
    stack.push_exit(async move |outcome: Outcome| {
        log.push(format_args!("{name}({outcome:?})"));
        Ok(())
    });
}

#[test]
fn contexts_are_entered_at_run_time_and_exited_last_in_first_out() {
    async fn enter_some(log: Log, wanted: &[(&'static str, bool)]) -> Result<usize, String> {
        Ok(async_with!(stack = exit_stack::<String>()?, {
            let mut entered = Vec::new();
            for &(name, is_wanted) in wanted {
                if is_wanted {
                    entered.push(stack.enter(traced(log.clone(), name)).await?);
                }
            }
            entered.len()
        }))
    }

    let log = Log::new();
    let wanted = [("a", true), ("b", false), ("c", true)];
    assert_eq!(block_on(enter_some(log.clone(), &wanted)), Ok(2));
    assert_eq!(
        log.line(),
        "enter(a) enter(c) exit(c, Completed) exit(a, Completed)"
    );
    assert_eq!(block_on(enter_some(log.clone(), &[])), Ok(0));
    assert_eq!(log.line(), "");
}

#[test]
fn the_resources_of_several_entries_are_in_use_at_once() {
    let log = Log::new();
    let used: Result<(), String> = block_on(async {
        async_with!(stack = exit_stack::<String>()?, {
            let first = stack.enter(traced(log.clone(), "a")).await?;
            let second = stack.adopt(String::from("b"), async |_| Ok(()));
            let third = stack.enter(traced(log.clone(), "c")).await?;
            first.push_str(second);
            second.push_str(third);
            third.push_str(first);
            assert_eq!((&**first, &**second, &**third), ("ab", "bc", "cab"));
        });
        Ok(())
    });
    used.unwrap();
    assert_eq!(
        log.line(),
        "enter(a) enter(c) exit(cab, Completed) exit(ab, Completed)"
    );
}

#[test]
fn every_kind_of_entry_runs_in_its_turn() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    let log_of = |name: &'static str| {
        let log = log.clone();
        move || log.push(name)
    };

    stack.callback(log_of("callback"));
    let (deferred, released) = (log_of("deferred"), log.clone());
    stack.defer(async move || {
        yield_once().await;
        deferred();
        Ok(())
    });
    let adopted = stack.adopt(vec![1], async move |adopted: Vec<u32>| {
        yield_once().await;
        released.push(format_args!("released({adopted:?})"));
        Ok(())
    });
    adopted.push(2);
    let kept = stack.keep(Dropped(log.clone(), "kept"));
    assert_eq!(kept.1, "kept");
    watch(&stack, &log, "outcome");

    assert_eq!(log.line(), "", "no entry runs before the exit");
    block_on(stack.close(Outcome::Failed(()))).unwrap();
    assert_eq!(
        log.line(),
        "outcome(Failed(())) drop(kept) released([1, 2]) deferred callback"
    );
}

#[test]
fn a_stack_gets_the_outcome_of_its_use() {
    async fn used(log: Log, end: impl AsyncFnOnce() -> Result<(), String>) -> Result<(), String> {
        async_with!(stack = exit_stack::<String>()?, {
            watch(stack, &log, "outcome");
            end().await?;
        });
        Ok(())
    }

    let log = Log::new();
    assert_eq!(block_on(used(log.clone(), async || Ok(()))), Ok(()));
    assert_eq!(log.line(), "outcome(Completed)");
    let failed = block_on(used(log.clone(), async || Err("bad".to_string())));
    assert_eq!(failed, Err("bad".to_string()));
    assert_eq!(log.line(), "outcome(Failed(()))");
    let panics = used(log.clone(), async || std::panic::panic_any("ouch"));
    assert_eq!(panic_message(|| block_on(panics)), "ouch");
    assert_eq!(log.line(), "outcome(Panicked)");
    let mut dropped = Box::pin(used(log.clone(), async || pending().await));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    assert_eq!(log.line(), "outcome(Cancelled)");
}

#[test]
fn entries_see_the_outcome_as_it_stands() {
    reports::collect();
    let log = Log::new();
    let mut stack = AsyncExitStack::new();
    watch(&stack, &log, "4th");
    stack.callback(|| std::panic::panic_any("ouch"));
    watch(&stack, &log, "3rd");
    block_on(stack.enter(failing("bad"))).unwrap();
    watch(&stack, &log, "2nd");
    stack.callback(|| ());
    watch(&stack, &log, "1st");

    assert_eq!(
        panic_message(|| block_on(stack.close(Outcome::Completed))),
        "ouch"
    );
    assert_eq!(
        log.line(),
        "1st(Completed) 2nd(Completed) 3rd(Failed(())) 4th(Panicked)"
    );
    assert_eq!(
        reports::take(),
        ["Failed(\"bad\")"],
        "the panic replaces the error"
    );
}

#[test]
fn every_entry_runs_once_when_others_fail_or_panic() {
    reports::collect();
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    let outermost = log.clone();
    stack.defer(async move || {
        outermost.push("outermost");
        Err("1".into())
    });
    block_on(stack.enter(panicking("2"))).unwrap();
    block_on(stack.enter(traced(log.clone(), "a"))).unwrap();
    stack.adopt((), |()| -> std::future::Ready<_> {
        std::panic::panic_any("3")
    });
    stack.push_exit(async |_| std::panic::panic_any("4"));
    block_on(stack.enter(failing("5"))).unwrap();
    log.take();

    assert_eq!(
        panic_message(|| block_on(stack.close(Outcome::Completed))),
        "4",
        "the first panic"
    );
    assert_eq!(log.line(), "exit(a, Panicked) outermost");
    assert_eq!(
        reports::take(),
        ["Panicked", "Panicked", "Failed(\"5\")", "Failed(\"1\")"]
    );
    // The stack is empty, and can be used again.
    watch(&stack, &log, "again");
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "again(Completed)");
}

#[test]
fn all_errors_are_kept_in_order() {
    async fn fill(stack: &AsyncExitStack<String>) {
        stack.enter(failing("third")).await.unwrap();
        stack.defer(async || Err("second".into()));
        stack.enter(failing("first")).await.unwrap();
    }

    let mut stack = AsyncExitStack::new();
    block_on(fill(&stack));
    let errors = block_on(stack.close(Outcome::Completed)).unwrap_err();
    assert_eq!(errors.to_string(), "first; then second; then third");
    assert_eq!((errors.len(), errors.first().as_str()), (3, "first"));
    assert_eq!(errors.rest(), ["second", "third"]);
    assert_eq!(
        errors.iter().collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    let all: Vec<String> = errors.clone().into_iter().collect();
    assert_eq!(all, ["first", "second", "third"]);

    let tried = block_on(exit_stack().all_errors().try_with(async |stack| {
        fill(stack).await;
        Err::<(), _>("body")
    }));
    let Err(TryWithError::BodyAndExit { body, exit }) = tried else {
        panic!("both failed: {tried:?}");
    };
    assert_eq!((body, exit), ("body", errors));
}

#[test]
fn a_single_error_is_displayed_unchanged() {
    let with: Result<(), String> = block_on(exit_stack::<String>().with(async |stack| {
        stack.enter(failing("bad")).await?;
        Ok(())
    }));
    assert_eq!(with, Err("bad".to_string()));

    let mut stack = AsyncExitStack::new();
    stack.defer(async || "x".parse::<u8>().map(drop));
    let errors = block_on(stack.close(Outcome::Completed)).unwrap_err();
    assert_eq!(errors.to_string(), "invalid digit found in string");
    assert!(errors.source().is_none(), "its text is not repeated");
}

#[test]
fn one_of_several_errors_is_returned_and_the_others_are_reported() {
    async fn fill(stack: &AsyncExitStack<String>) -> Result<(), String> {
        stack.enter(failing("third")).await?;
        stack.enter(panicking("second")).await?;
        stack.enter(failing("first")).await?;
        Ok(())
    }

    reports::collect();
    let with: Result<(), String> = block_on(exit_stack::<String>().with(async |stack| {
        stack.enter(failing("2nd")).await?;
        stack.enter(failing("1st")).await?;
        Ok(())
    }));
    assert_eq!(with, Err("1st".to_string()));
    assert_eq!(reports::take_names(), ["behavior::stack::failing"]);

    // The body's error is the first one, and so is the body's panic.
    let with: Result<(), String> = block_on(exit_stack::<String>().with(async |stack| {
        stack.enter(failing("1st")).await?;
        Err("body".to_string())
    }));
    assert_eq!(with, Err("body".to_string()));
    assert_eq!(reports::take_names(), ["behavior::stack::failing"]);

    let panics = exit_stack::<String>().with(async |stack| -> Result<(), String> {
        fill(stack).await?;
        std::panic::panic_any("body")
    });
    assert_eq!(panic_message(|| block_on(panics)), "body");
    assert_eq!(
        reports::take_names(),
        ["failing", "failing", "panicking"].map(|name| format!("behavior::stack::{name}"))
    );
}

#[test]
fn every_error_of_an_infallible_use_is_reported() {
    async fn used() -> &'static str {
        async_with!(stack = exit_stack::<String>(), {
            stack.enter(failing("second")).await.unwrap();
            stack.enter(failing("first")).await.unwrap();
            "used"
        })
    }

    reports::collect();
    assert_eq!(block_on(used()), "used");
    assert_eq!(
        reports::take(),
        ["Failed(\"second\")", "Failed(\"first\")"],
        "the primary error is reported last"
    );
}

#[test]
fn the_errors_of_entries_are_converted_to_the_error_of_the_stack() {
    #[derive(Debug, PartialEq)]
    enum AppError {
        Text(String),
        Number(ParseIntError),
    }
    impl From<String> for AppError {
        fn from(text: String) -> Self {
            Self::Text(text)
        }
    }
    impl From<ParseIntError> for AppError {
        fn from(error: ParseIntError) -> Self {
            Self::Number(error)
        }
    }
    #[async_context]
    async fn number(text: &'static str) -> Result<u8, ParseIntError> {
        let mut number = text.parse()?;
        yield_resource!(number);
        Ok(())
    }

    let bad = "x".parse::<u8>().unwrap_err();
    let used: Result<(), AppError> = block_on(async {
        async_with!(stack = exit_stack::<AppError>()?, {
            let number = stack.enter(number("4")).await?;
            stack.enter(failing("text")).await?;
            let nothing = stack
                .enter(nullcontext(38).with_error::<AppError>())
                .await?;
            assert_eq!(*number + *nothing, 42);
        });
        Ok(())
    });
    assert_eq!(used, Err(AppError::Text("text".into())));
    let entered = block_on(
        AsyncExitStack::<AppError>::new()
            .enter(number("x"))
            .map(|e| e.map(|n| *n)),
    );
    assert_eq!(entered, Err(AppError::Number(bad)));
}

#[test]
fn a_context_that_fails_to_enter_is_not_on_the_stack() {
    #[async_context]
    async fn closed(log: Log) -> Result<(), String> {
        log.push("tried");
        if true {
            return Err("closed".into());
        }
        yield_resource!();
        Ok(())
    }

    let log = Log::new();
    let used: Result<(), String> = block_on(async {
        async_with!(stack = exit_stack::<String>()?, {
            stack.enter(traced(log.clone(), "a")).await?;
            let key = stack.last_key();
            assert!(stack.enter(closed(log.clone())).await.is_err());
            assert_eq!(stack.last_key(), key);
            stack.enter(closed(log.clone())).await?;
        });
        Ok(())
    });
    assert_eq!(used, Err("closed".into()));
    assert_eq!(log.line(), "enter(a) tried tried exit(a, Failed(()))");
}

#[test]
fn an_entry_is_released_early_by_its_key() {
    let log = Log::new();
    let mut stack = AsyncExitStack::new();
    block_on(async {
        stack.enter(traced(log.clone(), "a")).await.unwrap();
        let key = stack.last_key().unwrap();
        stack.enter(traced(log.clone(), "b")).await.unwrap();
        let failing = stack.defer(async || Err("bad".to_string()));
        log.take();

        assert_eq!(stack.release(key).await, Ok(true));
        assert_eq!(log.line(), "exit(a, Completed)");
        assert_eq!(
            stack.release(key).await,
            Ok(false),
            "an entry is released once"
        );
        assert_eq!(stack.release(failing).await, Err("bad".to_string()));
        assert_eq!(stack.close(Outcome::Failed(())).await, Ok(()));
        assert_eq!(log.line(), "exit(b, Failed(()))");
    });
}

#[test]
fn an_entry_whose_release_panicked_is_not_exited_again() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "left");
    let keys = block_on(async {
        stack.enter(panicking("context")).await.unwrap();
        let context = stack.last_key().unwrap();
        stack.keep(PanicsOnDrop);
        let kept = stack.last_key().unwrap();
        let deferred = stack.defer(async || std::panic::panic_any("deferred"));
        [(deferred, "deferred"), (kept, "drop"), (context, "context")]
    });
    for (key, panic) in keys {
        assert_eq!(panic_message(|| block_on(stack.release(key))), panic);
        assert_eq!(block_on(stack.release(key)), Ok(false));
    }
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "left(Completed)");
}

#[test]
fn an_entry_whose_release_is_dropped_is_exited_next() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    block_on(stack.enter(slow(log.clone(), "slow"))).unwrap();
    let key = stack.last_key().unwrap();
    watch(&stack, &log, "above");
    assert!(poll_once(pin!(stack.release(key))).is_pending());
    assert_eq!(log.line(), "exit(slow, Completed)");
    block_on(stack.close(Outcome::Failed(()))).unwrap();
    assert_eq!(log.line(), "half(slow) exited(slow) above(Failed(()))");
}

#[test]
fn pop_all_moves_the_entries() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "1");
    let key = stack.callback(|| unreachable!("the callback ran"));
    watch(&stack, &log, "2");
    let mut moved = stack.pop_all();
    // The old stack is empty: to drop it or to close it does nothing.
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "");
    assert_eq!(stack.last_key(), None, "the keys have moved too");
    watch(&stack, &log, "new");
    assert_eq!(
        block_on(stack.release(key)),
        Ok(false),
        "the entry is on another stack"
    );
    drop(stack);
    assert_eq!(log.line(), "new(Cancelled)");

    let last = moved.last_key();
    watch(&moved, &log, "3");
    assert_ne!(moved.last_key(), last, "keys are unique");
    block_on(async {
        let log = log.clone();
        let released = moved.release(moved.last_key().unwrap()).await;
        assert_eq!((released, log.line().as_str()), (Ok(true), "3(Completed)"));
    });
    // The key of an entry stays valid on the stack to which the entry was moved. Its callback panics.
    let released = panic_message(|| block_on(moved.release(key)));
    assert!(released.contains("the callback ran"), "{released}");
    block_on(moved.close(Outcome::Panicked)).unwrap();
    assert_eq!(log.line(), "2(Panicked) 1(Panicked)");
}

#[test]
fn a_second_close_goes_on_where_a_dropped_one_was() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "outer");
    block_on(stack.enter(slow(log.clone(), "slow"))).unwrap();
    watch(&stack, &log, "inner");
    assert!(poll_once(pin!(stack.close(Outcome::Failed(())))).is_pending());
    assert_eq!(log.line(), "inner(Failed(())) exit(slow, Failed(()))");
    assert!(poll_once(pin!(stack.close(Outcome::Completed))).is_pending());
    assert_eq!(log.line(), "half(slow)");
    // An entry that is added now runs after the one that has begun.
    watch(&stack, &log, "new");
    // A stack that takes the entries over takes the half-run entry too.
    let mut moved = stack.pop_all();
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "");
    assert_eq!(block_on(moved.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "exited(slow) new(Failed(())) outer(Failed(()))");
}

#[test]
fn a_stack_that_is_dropped_during_close_gives_cancelled_to_the_rest() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "outer");
    let half = log.clone();
    stack.defer(async move || {
        half.push("begun");
        yield_once().await;
        half.push("ended");
        Ok(())
    });
    assert!(poll_once(pin!(stack.close(Outcome::Completed))).is_pending());
    drop(stack);
    assert_eq!(log.line(), "begun ended outer(Cancelled)");
}

#[test]
fn an_entry_that_is_added_during_close_runs_next() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    let handle = stack.handle();
    watch(&stack, &log, "1");
    let (adding, late) = (log.clone(), log.clone());
    let also = handle.clone();
    stack.defer(async move || {
        adding.push("adding");
        handle
            .defer(async move || {
                late.push("late");
                Err("bad".to_string())
            })
            .unwrap();
        yield_once().await;
        adding.push("added");
        Ok(())
    });
    watch(&stack, &log, "2");
    let errors = block_on(stack.close(Outcome::Completed)).unwrap_err();
    assert_eq!(errors.into_parts(), ("bad".to_string(), vec![]));
    assert_eq!(log.line(), "2(Completed) adding added late 1(Failed(()))");

    // An entry can also be added after the close, as long as the stack lives.
    let late = log.clone();
    also.defer(async move || {
        late.push("after");
        Ok(())
    })
    .unwrap();
    drop(stack);
    assert_eq!(log.line(), "after");
    let refused = also.defer(async || Ok(()));
    let Err(gone) = refused else {
        panic!("the stack should be closed");
    };
    assert_eq!(gone.to_string(), "the exit stack is gone");
    assert_eq!(block_on((gone.0)()), Ok(()), "the callback is returned");
}

#[test]
fn entries_that_a_handle_adds_run_in_their_turn() {
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    let handle = stack.handle();
    let defer = |name: &'static str| {
        let log = log.clone();
        let deferred = handle.defer(async move || {
            log.push(name);
            Ok(())
        });
        deferred.unwrap();
    };
    watch(&stack, &log, "1");
    defer("2");
    defer("3");
    watch(&stack, &log, "4");
    block_on(stack.enter(traced(log.clone(), "5"))).unwrap();
    defer("6");
    stack.keep(Dropped(log.clone(), "7"));
    defer("8");
    log.take();
    block_on(stack.close(Outcome::Completed)).unwrap();
    assert_eq!(
        log.line(),
        "8 drop(7) 6 exit(5, Completed) 4(Completed) 3 2 1(Completed)"
    );
}

#[test]
fn a_half_built_object_is_cleaned_up() {
    struct Service {
        stack: AsyncExitStack<String>,
    }
    impl Service {
        async fn new(log: Log, fails: bool) -> Result<Self, String> {
            let stack = AsyncExitStack::new();
            stack.enter(traced(log.clone(), "pool")).await?;
            stack.keep(Dropped(log.clone(), "file"));
            if fails {
                return Err("no luck".into());
            }
            stack.enter(traced(log, "cache")).await?;
            Ok(Self { stack })
        }

        async fn close(mut self) -> Result<(), ExitErrors<String>> {
            self.stack.close(Outcome::Completed).await
        }
    }

    let log = Log::new();
    assert!(block_on(Service::new(log.clone(), true)).is_err());
    assert_eq!(log.line(), "enter(pool) drop(file) exit(pool, Cancelled)");
    let service = block_on(Service::new(log.clone(), false)).unwrap();
    assert_eq!(log.line(), "enter(pool) enter(cache)");
    block_on(service.close()).unwrap();
    assert_eq!(
        log.line(),
        "exit(cache, Completed) drop(file) exit(pool, Completed)"
    );
}

#[test]
fn a_context_whose_enter_is_dropped_exits_in_the_background() {
    #[async_context]
    async fn waiting(log: Log) -> Result<(), String> {
        log.push("entering");
        yield_once().await;
        let outcome = yield_resource!();
        log.push(format_args!("exit({outcome:?})"));
        Ok(())
    }

    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "1");
    assert!(poll_once(pin!(stack.enter(waiting(log.clone())))).is_pending());
    assert_eq!(log.line(), "entering exit(Cancelled)");
    assert_eq!(block_on(stack.close(Outcome::Completed)), Ok(()));
    assert_eq!(log.line(), "1(Completed)");
}

#[test]
fn a_context_is_on_the_stack_after_the_poll_that_entered_it() {
    let log = Log::new();
    let stack = AsyncExitStack::<String>::new();
    {
        let mut entering = pin!(stack.enter(traced(log.clone(), "a")));
        assert!(matches!(poll_once(entering.as_mut()), Poll::Ready(Ok(_))));
    }
    drop(stack);
    assert_eq!(log.line(), "enter(a) exit(a, Cancelled)");
}

#[test]
fn the_entries_of_a_scoped_stack_can_borrow() {
    #[async_context(scoped)]
    async fn borrowing<'a>(
        log: &'a RefCell<Vec<String>>,
        name: &'a str,
    ) -> Result<&'a str, String> {
        let mut lent = name;
        let outcome = yield_resource!(lent);
        log.borrow_mut().push(format!("{name}({outcome:?})"));
        Ok(())
    }

    let log = RefCell::new(Vec::new());
    let name = String::from("borrowed");
    let not_send = Rc::new(name.clone());
    let used: Result<usize, String> = block_on(async {
        Ok(async_with!(stack = scoped_exit_stack::<String>()?, {
            let lent = stack.enter(borrowing(&log, &name)).await?;
            let log = &log;
            stack.push_exit(async move |outcome| {
                log.borrow_mut().push(format!("{not_send}({outcome:?})"));
                Err("bad".into())
            });
            let counted: &mut &RefCell<Vec<String>> = stack.adopt(log, async |log| {
                log.borrow_mut().push("adopted".into());
                Ok(())
            });
            lent.len() + counted.borrow().len()
        }))
    });
    assert_eq!(used, Err("bad".into()));
    assert_eq!(
        *log.borrow(),
        ["adopted", "borrowed(Completed)", "borrowed(Failed(()))"]
    );
}

#[test]
fn a_dropped_scoped_stack_drops_its_entries_in_reverse_order_and_reports_them() {
    #[async_context(scoped)]
    async fn borrowing(log: &Log) -> Result<(), String> {
        let _held = Dropped(log.clone(), "context");
        yield_resource!();
        Ok(())
    }

    reports::collect();
    let log = Log::new();
    let stack = ScopedExitStack::<String>::new();
    stack.keep(Dropped(log.clone(), "kept"));
    block_on(stack.enter(borrowing(&log))).unwrap();
    stack.adopt(Dropped(log.clone(), "adopted"), async |_| Ok(()));
    let called = Dropped(log.clone(), "callback");
    stack.push_exit(async move |_| {
        let _called = &called;
        Ok(())
    });
    drop(stack);
    assert_eq!(
        log.line(),
        "drop(callback) drop(adopted) drop(context) drop(kept)"
    );
    assert_eq!(
        reports::take(),
        ["Abandoned"; 3],
        "a kept value needs no exit"
    );
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        std::panic::panic_any("drop");
    }
}

#[test]
fn a_destructor_that_panics_stops_no_entry_from_its_exit() {
    reports::collect();
    let log = Log::new();
    let mut stack = AsyncExitStack::<String>::new();
    watch(&stack, &log, "1");
    stack.keep(PanicsOnDrop);
    watch(&stack, &log, "2");
    assert_eq!(
        panic_message(|| block_on(stack.close(Outcome::Completed))),
        "drop"
    );
    assert_eq!(log.line(), "2(Completed) 1(Panicked)");

    let stack = ScopedExitStack::<String>::new();
    stack.keep(Dropped(log.clone(), "1"));
    stack.keep(PanicsOnDrop);
    stack.keep(Dropped(log.clone(), "2"));
    drop(stack);
    assert_eq!(log.line(), "drop(2) drop(1)");
    assert_eq!(reports::take(), ["Panicked"]);
}

/// Fails, and panics when it is dropped.
struct FailsAndPanics(&'static str, PanicsOnDrop);

impl Future for FailsAndPanics {
    type Output = Result<(), String>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Err(self.0.to_string()))
    }
}

#[test]
fn the_error_of_an_entry_is_reported_if_the_destructor_of_its_future_panics() {
    reports::collect();
    let log = Log::new();
    let add: [fn(&AsyncExitStack<String>); 3] = [
        |stack| {
            stack.defer(|| FailsAndPanics("it", PanicsOnDrop));
        },
        |stack| {
            stack.push_exit(|_| FailsAndPanics("it", PanicsOnDrop));
        },
        |stack| {
            stack.adopt((), |()| FailsAndPanics("it", PanicsOnDrop));
        },
    ];
    for add in add {
        let mut stack = AsyncExitStack::<String>::new();
        watch(&stack, &log, "1");
        add(&stack);
        let panicked = panic_message(|| block_on(stack.close(Outcome::Completed)));
        assert_eq!(panicked, "drop");
        assert_eq!(log.line(), "1(Panicked)");
        assert_eq!(reports::take(), ["Failed(\"it\")"]);
    }
}

#[test]
fn a_stack_on_a_stack_is_one_entry() {
    let log = Log::new();
    let mut outer = AsyncExitStack::<String>::new();
    watch(&outer, &log, "1");
    let inner = block_on(outer.enter(exit_stack::<String>())).unwrap();
    watch(inner, &log, "2");
    inner.defer(async || Err("bad".into()));
    watch(&outer, &log, "3");
    let errors = block_on(outer.close(Outcome::Completed)).unwrap_err();
    assert_eq!(errors.to_string(), "bad");
    assert_eq!(log.line(), "3(Completed) 2(Failed(())) 1(Failed(()))");
}
