//! `TestAsyncExitStack`: asynchronous entries.

use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex};

use guard_core::{
    AsyncContext, AsyncExitStack, AsyncManager, Outcome, async_context, async_with, exit_stack,
    yield_resource,
};
use guard_tests::{Log, block_on, yield_once};

use crate::raised::{Raised, pass_on, raised};

/// Row 29. Asynchronous callbacks run last in, first out. They capture their arguments. The method returns a
/// key, where Python returns the callback.
#[test]
fn test_async_callback() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(stack = exit_stack::<Raised>()?, {
            let arguments = [vec![], vec![1], vec![1, 2], vec![1, 2, 3]];
            let keys = arguments.map(|arguments| {
                let log = log.clone();
                stack.defer(async move || {
                    yield_once().await;
                    log.push(format_args!("{arguments:?}"));
                    Ok(())
                })
            });
            assert_eq!(stack.last_key(), Some(keys[3]));
            log.push("body");
        });
        Ok(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.take(), ["body", "[1, 2, 3]", "[1, 2]", "[1]", "[]"]);
}

/// A manager whose exit is used without its `enter`.
struct HasExit(Log);

impl AsyncManager for HasExit {
    type Resource = Self;
    type Error = Infallible;

    async fn enter(&mut self) -> Result<&mut Self, Infallible> {
        unreachable!("only its exit was pushed")
    }

    async fn exit(&mut self, outcome: Outcome) -> Result<(), Infallible> {
        yield_once().await;
        self.0.push(format_args!("object({outcome:?})"));
        Ok(())
    }
}

/// Row 30. A pushed exit gets the current outcome: the exits before a swallowing one get the error, and the
/// exits after it get `Completed`. The exit of an object can be pushed without entering the object.
#[test]
fn test_async_push() {
    let log = Log::new();
    let used = block_on(exit_stack::<Raised>().catching().catch(async |stack| {
        let expect = |name: &'static str| {
            let log = log.clone();
            stack.push_exit(async move |outcome| {
                yield_once().await;
                log.push(format_args!("{name}({})", describe(&outcome)));
                pass_on(outcome)
            });
        };
        expect("first");
        expect("second");
        let swallowing = log.clone();
        stack.push_exit(async move |outcome| {
            swallowing.push(format_args!("swallow({})", describe(&outcome)));
            Ok(())
        });
        expect("third");
        let mut object = HasExit(log.clone());
        stack.push_exit(async move |outcome| {
            let Ok(()) = object.exit(outcome.without_error()).await;
            pass_on(outcome)
        });
        expect("fourth");
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Ok(None));
    assert_eq!(
        log.take(),
        [
            "fourth(ZeroDivision)",
            "object(Failed(()))",
            "third(ZeroDivision)",
            "swallow(ZeroDivision)",
            "second(Completed)",
            "first(Completed)",
        ]
    );
}

fn describe(outcome: &Outcome<Raised>) -> String {
    match outcome {
        Outcome::Failed(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[async_context]
async fn numbered(log: Log) -> u32 {
    log.push(1);
    let mut number = 10;
    yield_resource!(number);
    yield_once().await;
    log.push(3);
}

/// Row 31. A context that is entered on a stack is set up at once, lends its resource, and exits in its turn.
#[test]
fn test_enter_async_context() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(stack = exit_stack::<Raised>()?, {
            let last = log.clone();
            stack.defer(async move || {
                last.push(4);
                Ok(())
            });
            let number = stack.enter(numbered(log.clone()).with_error()).await?;
            assert_eq!(*number, 10);
            log.push(2);
        });
        Ok(())
    });
    assert_eq!((used, log.line()), (Ok(()), "1 2 3 4".into()));
}

fn fail(
    stack: &AsyncExitStack<Raised, guard_core::exit_stack_parts::Catching>,
    name: &'static str,
) {
    stack.defer(async move || {
        yield_once().await;
        Err(raised(name))
    });
}

/// Row 33. The errors of exits are kept, without those that were swallowed before. The order is the opposite
/// of Python's: the first error comes first and is returned, since it is the cause. In Python the last error
/// is raised, and the others are its context.
#[test]
fn test_async_exit_exception_chaining() {
    let swallowed = Arc::new(Mutex::new(None));
    let closed = block_on(async {
        let mut stack = AsyncExitStack::catching();
        fail(&stack, "Index");
        fail(&stack, "Key");
        fail(&stack, "Attribute");
        let saved = swallowed.clone();
        stack.push_exit(async move |outcome| {
            *saved.lock().unwrap() = Some(outcome);
            Ok(())
        });
        stack.push_exit(async |outcome| match outcome {
            Outcome::Failed(error) => Err(raised("Value").from(error)),
            _ => Ok(()),
        });
        stack.close(Outcome::Failed(raised("ZeroDivision"))).await
    });
    let errors: Vec<_> = closed.unwrap_err().into_iter().collect();
    assert_eq!(errors, ["Attribute", "Key", "Index"].map(raised));
    let swallowed = swallowed.lock().unwrap().take();
    let pair = raised("Value").from(raised("ZeroDivision"));
    assert_eq!(swallowed, Some(Outcome::Failed(pair)));
}

#[async_context(catch)]
async fn my_context() -> Result<(), Raised> {
    match yield_resource!() {
        Outcome::Failed(_) => Err(raised("Unique")),
        _ => Ok(()),
    }
}

/// Row 34. An error that was replaced, and is not the source of the new one, is lost. A stack does not add it
/// again, like a context that is used without a stack.
#[test]
fn test_async_exit_exception_explicit_none_context() {
    block_on(async {
        let alone = my_context()
            .catch(async |()| Err::<(), _>(raised("ZeroDivision")))
            .await;
        assert!(alone.unwrap_err().source().is_none());

        let mut stack = AsyncExitStack::catching();
        stack.enter_catch(my_context()).await.unwrap();
        let closed = stack
            .close(Outcome::Failed(raised("ZeroDivision")))
            .await
            .unwrap_err();
        assert_eq!(closed.iter().collect::<Vec<_>>(), [&raised("Unique")]);
        assert!(closed.source().is_none());
    });
}
