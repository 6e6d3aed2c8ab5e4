//! `TestBaseExitStack`, which Python runs with `AsyncExitStack`: synchronous entries.

use std::error::Error;
use std::future::ready;
use std::sync::{Arc, Mutex};

use guard_core::exit_stack_parts::Catching;
use guard_core::{
    AsyncContext, AsyncExitStack, Outcome, ScopedExitStack, TryWithError, async_context,
    async_with, exit_stack, yield_resource,
};
use guard_tests::{Dropped, Log, block_on};

use crate::raised::{Raised, pass_on, raised};
use crate::reports;
use crate::stack_against_nesting::{Observed, REFERENCE, nested, programs, stacked};

/// Fails with this error after all exits, for every outcome.
fn fail(stack: &AsyncExitStack<Raised, Catching>, error: Raised) {
    stack.defer(move || ready(Err(error)));
}

/// Row 37. A stack without entries does nothing.
#[test]
fn test_no_resources() {
    reports::collect();
    let used: Result<(), Raised> = block_on(async {
        async_with!(_stack = exit_stack::<Raised>()?, {});
        drop(AsyncExitStack::<Raised>::new());
        drop(ScopedExitStack::<Raised>::new());
        Ok(())
    });
    assert_eq!((used, reports::take()), (Ok(()), vec![]));
}

/// Row 38. Synchronous callbacks run last in, first out. They capture their arguments. The method returns a
/// key.
#[test]
fn test_callback() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(stack = exit_stack::<Raised>()?, {
            let arguments = [vec![], vec![1], vec![1, 2], vec![1, 2, 3]];
            let keys = arguments.map(|arguments| {
                let log = log.clone();
                stack.callback(move || log.push(format_args!("{arguments:?}")))
            });
            assert_eq!(stack.last_key(), Some(keys[3]));
            log.push("body");
        });
        Ok(())
    });
    assert_eq!(used, Ok(()));
    assert_eq!(log.take(), ["body", "[1, 2, 3]", "[1, 2]", "[1]", "[]"]);
}

/// Row 39. A synchronous exit gets the current outcome, like an asynchronous one.
#[test]
fn test_push() {
    let log = Log::new();
    let used = block_on(exit_stack::<Raised>().catching().catch(async |stack| {
        let expect = |name: &'static str, swallows: bool| {
            let log = log.clone();
            stack.push_exit(move |outcome| {
                log.push(format_args!("{name}({:?})", outcome.without_error()));
                ready(if swallows { Ok(()) } else { pass_on(outcome) })
            });
        };
        expect("first", false);
        expect("second", false);
        expect("swallow", true);
        expect("third", false);
        expect("fourth", false);
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Ok(None));
    assert_eq!(
        log.take(),
        [
            "fourth(Failed(()))",
            "third(Failed(()))",
            "swallow(Failed(()))",
            "second(Completed)",
            "first(Completed)",
        ]
    );
}

/// Row 40. A value that cleans up when it is dropped can be kept on the stack. It is lent, and dropped in its
/// turn.
#[test]
fn test_enter_context() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(stack = exit_stack::<Raised>()?, {
            let last = log.clone();
            stack.callback(move || last.push(4));
            log.push(1);
            let held = stack.keep(Dropped(log.clone(), "3"));
            assert_eq!(held.1, "3");
            log.push(2);
        });
        Ok(())
    });
    assert_eq!((used, log.line()), (Ok(()), "1 2 drop(3) 4".into()));
}

/// Row 42. To close a stack inside its own use runs its entries, once. The stack can be used again
/// afterwards.
#[test]
fn test_close() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(stack = exit_stack::<Raised>()?, {
            let add = |number: u32| {
                let log = log.clone();
                stack.callback(move || log.push(number));
            };
            add(1);
            stack
                .close(Outcome::Completed)
                .await
                .map_err(|errors| errors.into_parts().0)?;
            log.push(2);
            let again = log.clone();
            stack.callback(move || again.push(3));
        });
        Ok(())
    });
    assert_eq!((used, log.line()), (Ok(()), "1 2 3".into()));
}

/// Row 43. The entries of a stack can be moved to another stack, and outlive the use of the first one.
#[test]
fn test_pop_all() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        let mut new_stack = async_with!(stack = exit_stack::<Raised>()?, {
            let last = log.clone();
            stack.callback(move || last.push(3));
            log.push(1);
            stack.pop_all()
        });
        log.push(2);
        new_stack
            .close(Outcome::Completed)
            .await
            .map_err(|errors| errors.into_parts().0)
    });
    assert_eq!((used, log.line()), (Ok(()), "1 2 3".into()));
}

/// Row 44. An exit that returns the error does not swallow it.
#[test]
fn test_exit_raise() {
    let used = block_on(exit_stack().catching().catch(async |stack| {
        stack.push_exit(|outcome| ready(pass_on(outcome)));
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Err(raised("ZeroDivision")));
}

/// Row 45. An exit that returns `Ok` swallows the error. This needs a stack that catches.
#[test]
fn test_exit_suppress() {
    let used = block_on(exit_stack::<Raised>().catching().catch(async |stack| {
        stack.push_exit(|_| ready(Ok(())));
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Ok(None));
    let used = block_on(exit_stack::<Raised>().with(async |stack| {
        stack.push_exit(|_| ready(Ok(())));
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Err(raised("ZeroDivision")));
}

/// Row 46. The body's error is kept beside that of a callback, and comes first. In Python it is the context
/// of the callback's error, which is raised.
#[test]
fn test_exit_exception_traceback() {
    let used = block_on(exit_stack::<Raised>().all_errors().try_with(async |stack| {
        stack.defer(|| ready(Err(raised("Value"))));
        Err::<(), _>(raised("ZeroDivision"))
    }));
    let Err(TryWithError::BodyAndExit { body, exit }) = used else {
        panic!("{used:?}");
    };
    assert_eq!(body, raised("ZeroDivision"));
    assert_eq!(exit.into_parts(), (raised("Value"), vec![]));
}

/// Row 47. How errors combine in nested contexts. A swallowed error is swallowed with its cause. Of the
/// errors after it, the first is returned and the others are reported. In Python the last one is raised, and
/// the others are its context.
#[test]
fn test_exit_exception_chaining_reference() {
    let expected = Observed {
        error: Some("Attribute".into()),
        events: [
            r#"Replace("Value") is told Failed(ZeroDivision);"#,
            r#"Swallow is told Failed(Value from ZeroDivision);"#,
            r#"Fail("Attribute") is told Completed;"#,
            r#"Fail("Key") is told Failed(());"#,
            r#"Fail("Index") is told Failed(());"#,
        ]
        .map(String::from)
        .into(),
        reports: vec!["Failed(Key)".into(), "Failed(Index)".into()],
    };
    assert_eq!(nested(&REFERENCE, Err(raised("ZeroDivision"))), expected);
}

/// Row 48. A stack returns what the same contexts return when they are nested: for Python's reference, and
/// for every list of up to four contexts.
#[test]
fn test_exit_exception_chaining() {
    let body = raised("ZeroDivision");
    assert_eq!(
        stacked(&REFERENCE, Err(body.clone())),
        nested(&REFERENCE, Err(body.clone()))
    );
    for steps in programs(4) {
        for body in [Ok(()), Err(body.clone())] {
            let on_a_stack = stacked(&steps, body.clone());
            assert_eq!(on_a_stack, nested(&steps, body), "{steps:?}");
        }
    }
}

/// Row 49. As row 34, for a synchronous exit.
#[test]
fn test_exit_exception_explicit_none_context() {
    let used = block_on(exit_stack().catching().catch(async |stack| {
        stack.push_exit(|_| ready(Err(raised("Unique"))));
        Err::<(), _>(raised("ZeroDivision"))
    }));
    assert_eq!(used, Err(raised("Unique")));
    assert!(used.unwrap_err().source().is_none());
}

/// Row 50. An error of an exit is passed on by exits that do nothing about it. An error that is returned
/// after another one was swallowed leaves the stack.
#[test]
fn test_exit_exception_non_suppressing() {
    block_on(async {
        let used = exit_stack().catching().catch(async |stack| {
            stack.push_exit(|outcome| ready(pass_on(outcome)));
            fail(stack, raised("Index"));
            Ok(())
        });
        assert_eq!(used.await, Err(raised("Index")));

        let used = exit_stack().catching().catch(async |stack| {
            fail(stack, raised("Key"));
            stack.push_exit(|_| ready(Ok(())));
            fail(stack, raised("Index"));
            Ok(())
        });
        assert_eq!(used.await, Err(raised("Key")));
    });
}

#[async_context]
async fn raises_in_the_end(name: &'static str) -> Result<(), Raised> {
    yield_resource!();
    Err(raised(name))
}

/// Row 51. The errors of several exits are kept in the order in which they happened, after the body's. In
/// Python each error is the context of the next.
#[test]
fn test_exit_exception_with_correct_context() {
    let closed = block_on(async {
        let mut stack = AsyncExitStack::catching();
        for name in ["4", "3", "2"] {
            stack.enter(raises_in_the_end(name)).await.unwrap();
        }
        stack.close(Outcome::Failed(raised("1"))).await
    });
    let errors: Vec<_> = closed.unwrap_err().into_iter().collect();
    assert_eq!(errors, ["1", "2", "3", "4"].map(raised));
}

/// Row 52. An error keeps its source. An earlier error is in the list, and does not become a source.
#[test]
fn test_exit_exception_with_existing_context() {
    let closed = block_on(async {
        let mut stack = AsyncExitStack::catching();
        fail(&stack, raised("5").from(raised("4")));
        fail(&stack, raised("3").from(raised("2")));
        stack.close(Outcome::Failed(raised("1"))).await
    });
    let errors: Vec<_> = closed.unwrap_err().into_iter().collect();
    let chained = [
        raised("1"),
        raised("3").from(raised("2")),
        raised("5").from(raised("4")),
    ];
    assert_eq!(errors, chained);
}

/// Row 53. The body's error can be swallowed, and the code after the use runs.
#[test]
fn test_body_exception_suppress() {
    let log = Log::new();
    block_on(async {
        let swallowed = log.clone();
        let used = exit_stack::<Raised>().catching().catch(async |stack| {
            stack.push_exit(move |outcome| {
                swallowed.push(outcome.is_failed());
                ready(Ok(()))
            });
            log.push("body");
            Err::<(), _>(raised("ZeroDivision"))
        });
        assert_eq!(used.await, Ok(None));
        log.push("after");
    });
    assert_eq!(log.line(), "body true after");
}

/// Row 54. An outer exit can swallow the errors of exits. It swallows all of them; those that it was not
/// given are reported.
#[test]
fn test_exit_exception_chaining_suppress() {
    reports::collect();
    let told = Arc::new(Mutex::new(None));
    let saved = told.clone();
    let used = block_on(exit_stack().catching().catch(async |stack| {
        stack.push_exit(move |outcome| {
            *saved.lock().unwrap() = Some(outcome);
            ready(Ok(()))
        });
        fail(stack, raised("ZeroDivision"));
        fail(stack, raised("Key"));
        Ok("value")
    }));
    assert_eq!(used, Ok(Some("value")));
    assert_eq!(
        told.lock().unwrap().take(),
        Some(Outcome::Failed(raised("Key")))
    );
    assert_eq!(reports::take(), ["Failed(ZeroDivision)"]);
}

/// Row 55. To close or to drop a stack does not recurse for any number of entries. Both need very little call
/// stack.
#[test]
fn test_excessive_nesting() {
    const ENTRIES: usize = 10_000;
    let count = |work: fn(Arc<Mutex<usize>>)| {
        let called = Arc::new(Mutex::new(0));
        let counted = called.clone();
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        thread.spawn(move || work(counted)).unwrap().join().unwrap();
        *called.lock().unwrap()
    };
    let closed = count(|called| {
        let mut stack = AsyncExitStack::<Raised>::new();
        for _ in 0..ENTRIES {
            let called = called.clone();
            stack.callback(move || *called.lock().unwrap() += 1);
        }
        block_on(stack.close(Outcome::Completed)).unwrap();
    });
    let cancelled = count(|called| {
        let stack = AsyncExitStack::<Raised>::new();
        for _ in 0..ENTRIES {
            let called = called.clone();
            stack.callback(move || *called.lock().unwrap() += 1);
        }
        drop(stack);
    });
    let dropped = count(|called| {
        struct Counts(Arc<Mutex<usize>>);
        impl Drop for Counts {
            fn drop(&mut self) {
                *self.0.lock().unwrap() += 1;
            }
        }

        reports::collect();
        let stack = ScopedExitStack::<Raised>::new();
        for _ in 0..ENTRIES {
            stack.keep(Counts(called.clone()));
        }
        drop(stack);
        // A value that was kept cleans up when it is dropped.
        assert_eq!(reports::take().len(), 0);
    });
    assert_eq!([closed, cancelled, dropped], [ENTRIES; 3]);
}

#[async_context(catch)]
async fn raises_it_again() -> Result<(), Raised> {
    match yield_resource!() {
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

#[async_context(catch)]
async fn converts() -> Result<(), Raised> {
    match yield_resource!() {
        Outcome::Failed(error) => Err(raised("Unique").from(error)),
        _ => Ok(()),
    }
}

/// Row 57. An outer context converts the error that an inner one returned again. The source of the new error
/// is that same error, which has no source.
#[test]
fn test_dont_reraise_runtimeerror() {
    let used = block_on(exit_stack().catching().catch(async |stack| {
        stack.enter_catch(converts()).await?;
        stack.enter_catch(raises_it_again()).await?;
        Err::<(), _>(raised("Runtime"))
    }));
    let error = used.unwrap_err();
    assert_eq!(error.name, "Unique");
    let source = error.source().unwrap();
    assert_eq!(source.to_string(), "Runtime");
    assert!(source.source().is_none());
}
