//! `TestSuppress`: a context that swallows the errors of its predicate.

use std::error::Error;
use std::fmt;

use guard_core::{AsyncContext, AsyncExitStack, Outcome, async_context, suppress, yield_resource};
use guard_tests::{block_on, yield_once};

use crate::raised::{Raised, raised};

/// Row u1. The context lends nothing.
#[test]
fn test_no_result_from_enter() {
    let used = block_on(suppress(|_: &Raised| true).catch(async |()| Ok(())));
    assert_eq!(used, Ok(Some(())));
}

/// Row u2. A body that does not fail returns its value.
#[test]
fn test_no_exception() {
    let used = block_on(suppress(|_: &Raised| true).catch(async |()| Ok(4)));
    assert_eq!(used, Ok(Some(4)));
}

/// Row u2. An error that the predicate accepts is swallowed, and the code after the use runs.
#[test]
fn test_exact_exception() {
    let is_type = |error: &Raised| error.name == "Type";
    let used = block_on(suppress(is_type).catch(async |()| Err::<(), _>(raised("Type"))));
    assert_eq!(used, Ok(None));
}

#[derive(Debug, PartialEq)]
enum Lookup {
    Index(usize),
    Key(String),
    Other,
}

/// Row u3. Errors have no hierarchy. A pattern selects them, and a boxed error can be asked for its type.
#[test]
fn test_exception_hierarchy() {
    let lookup = |error: &Lookup| matches!(error, Lookup::Index(_) | Lookup::Key(_));
    block_on(async {
        for error in [Lookup::Index(7), Lookup::Key("k".into())] {
            let used = suppress(lookup).catch(async |()| Err::<(), _>(error));
            assert_eq!(used.await, Ok(None));
        }
        let used = suppress(lookup)
            .catch(async |()| Err::<(), _>(Lookup::Other))
            .await;
        assert_eq!(used, Err(Lookup::Other));

        #[expect(clippy::borrowed_box, reason = "it is the type of the body's error")]
        let is_raised = |error: &Box<dyn Error>| error.is::<Raised>();
        let raise = async |_: &mut ()| Err::<(), Box<dyn Error>>(raised("Index").into());
        assert!(matches!(suppress(is_raised).catch(raise).await, Ok(None)));
        let raise = async |_: &mut ()| Err::<(), Box<dyn Error>>(fmt::Error.into());
        assert!(suppress(is_raised).catch(raise).await.is_err());
    });
}

/// Row u4. Every other error is returned.
#[test]
fn test_other_exception() {
    let is_type = |error: &Raised| error.name == "Type";
    let used = block_on(suppress(is_type).catch(async |()| Err::<(), _>(raised("ZeroDivision"))));
    assert_eq!(used, Err(raised("ZeroDivision")));
}

/// Row u4. A predicate that is always false swallows nothing.
#[test]
fn test_no_args() {
    let used = block_on(suppress(|_| false).catch(async |()| Err::<(), _>(raised("ZeroDivision"))));
    assert_eq!(used, Err(raised("ZeroDivision")));
}

/// Row u5. The predicate can accept several kinds of errors.
#[test]
fn test_multiple_exception_args() {
    let both = suppress(|error: &Raised| matches!(error.name, "ZeroDivision" | "Type"));
    for name in ["ZeroDivision", "Type"] {
        let used = block_on(both.catch(async |()| Err::<(), _>(raised(name))));
        assert_eq!(used, Ok(None));
    }
}

/// Row u6. The same context can be used inside itself: the inner use swallows the error, and the outer body
/// goes on.
#[test]
fn test_cm_is_reentrant() {
    let ignore = suppress(|error: &Raised| error.name == "Type");
    let mut outer_continued = false;
    let used = block_on(ignore.catch(async |()| {
        let inner = ignore.catch(async |()| Err::<(), _>(raised("Type"))).await;
        assert_eq!(inner, Ok(None));
        outer_continued = true;
        let inner = ignore.catch(async |()| Err::<(), _>(raised("Key"))).await;
        assert_eq!(inner, Err(raised("Key")));
        Err::<(), _>(raised("Type"))
    }));
    assert_eq!(used, Ok(None));
    assert!(outer_continued);
}

/// In Python: `suppress` with an exception group.
#[async_context(catch)]
async fn suppress_leaves(name: &'static str) -> Result<(), Vec<Raised>> {
    match yield_resource!() {
        Outcome::Failed(mut group) => {
            group.retain(|error| error.name != name);
            if group.is_empty() { Ok(()) } else { Err(group) }
        }
        _ => Ok(()),
    }
}

/// Fails with all errors of its stack.
async fn fail_with(names: &[&'static str]) -> Result<(), Vec<Raised>> {
    let mut stack = AsyncExitStack::new();
    for name in names.iter().rev() {
        stack.defer(async || Err(raised(name)));
    }
    stack
        .close(Outcome::Completed)
        .await
        .map_err(|errors| errors.into_iter().collect())
}

/// Row u7. If an error is made of several errors, such as that of a stack, a context can swallow some and
/// return the rest; if none is left, it returns no error. This needs a context of its own, because the
/// predicate of `suppress` gets the error as a whole.
#[test]
fn test_exception_groups() {
    block_on(async {
        let catch = async |names: &[&'static str]| {
            suppress_leaves("Value")
                .catch(async |()| fail_with(names).await)
                .await
        };
        assert_eq!(catch(&["Value", "Value"]).await, Ok(None));
        assert_eq!(
            catch(&["Value", "Key", "Value"]).await,
            Err(vec![raised("Key")])
        );
        assert_eq!(catch(&[]).await, Ok(Some(())));

        let whole = suppress(|group: &Vec<Raised>| group.contains(&raised("Value")));
        assert_eq!(
            whole
                .catch(async |()| fail_with(&["Value", "Key"]).await)
                .await,
            Ok(None)
        );
    });
}

/// Row u8. The context is used like every other one around code that awaits, and on a stack. Python's
/// `suppress` is only for `with`, and `async with` raises a `TypeError`.
#[test]
fn test_async_with() {
    let ignore = suppress(|error: &Raised| error.name == "Type");
    block_on(async {
        let used = ignore
            .catch(async |()| {
                yield_once().await;
                Err::<(), _>(raised("Type"))
            })
            .await;
        assert_eq!(used, Ok(None));

        let mut stack = AsyncExitStack::catching();
        stack.enter_catch(ignore).await.unwrap();
        assert_eq!(stack.close(Outcome::Failed(raised("Type"))).await, Ok(()));
    });
}
