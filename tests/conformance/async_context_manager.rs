//! `AsyncContextManagerTestCase`: `#[async_context]`, `catch` and `#[within]`.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;
use std::pin::pin;

use guard_core::{
    AsyncContext, Outcome, TryWithError, async_context, async_with, within, yield_resource,
};
use guard_tests::{Log, block_on, poll_once, yield_once};

use crate::raised::{Payload, Raised, lines_of_panics, panic_with, payload_of, raised};

#[async_context]
async fn logged(log: Log) -> Result<u32, Raised> {
    log.push(1);
    yield_once().await;
    let mut number = 42;
    let outcome = yield_resource!(number);
    yield_once().await;
    log.push(999);
    log.push(format_args!("{outcome:?}"));
    Ok(())
}

/// Row 6. The set-up, the body and the clean-up run in this order. The body gets the yielded value.
#[test]
fn test_contextmanager_plain() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        let context = logged(log.clone());
        assert_eq!(log.line(), "");
        async_with!(x = context?, {
            assert_eq!(log.line(), "1");
            assert_eq!(*x, 42);
            log.push(*x);
        });
        Ok(())
    });
    assert_eq!((used, log.line()), (Ok(()), "42 999 Completed".into()));
}

/// Row 7. The clean-up runs when the body fails, and the use returns the same error. No `finally` is needed.
#[test]
fn test_contextmanager_finally() {
    let log = Log::new();
    let used: Result<(), Raised> = block_on(async {
        async_with!(x = logged(log.clone())?, {
            log.push(*x);
            Err(raised("ZeroDivision"))?;
        });
        unreachable!("the error leaves the block")
    });
    assert_eq!(used, Err(raised("ZeroDivision")));
    assert_eq!(log.line(), "1 42 999 Failed(())");
}

/// Row 7. The clean-up runs when the body panics, and then the same panic unwinds: the panic hook was called
/// once.
#[test]
fn test_contextmanager_finally_after_a_panic() {
    let log = Log::new();
    let payload = payload_of(logged(log.clone()).with(async |x| -> Result<(), Raised> {
        log.push(*x);
        panic_with(7)
    }));
    assert_eq!(payload, Payload(7));
    assert_eq!(lines_of_panics().len(), 1);
    assert_eq!(log.line(), "1 42 999 Panicked");
}

/// Row 7. The clean-up runs when the body is cancelled. In Python it runs in the cancelled task. Here that
/// task is gone, so it runs in the background, and `drain` waits for it.
#[test]
fn test_contextmanager_finally_after_cancellation() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let log = Log::new();
    runtime.block_on(async {
        {
            let mut used = pin!(logged(log.clone()).with(async |x| -> Result<(), Raised> {
                log.push(*x);
                std::future::pending().await
            }));
            assert!(poll_once(used.as_mut()).is_pending());
            assert!(poll_once(used.as_mut()).is_pending());
        }
        log.push("dropped");
        guard_core::drain().await;
    });
    assert_eq!(log.line(), "1 42 dropped 999 Cancelled");
}

type AnyError = Box<dyn Error + Send + Sync>;

/// An error with the backtrace of its origin.
#[derive(Debug)]
struct Traced(Backtrace);

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Traced {}

#[async_context]
async fn boxed_errors() -> Result<(), AnyError> {
    yield_resource!();
    Ok(())
}

fn address(error: &(impl Error + ?Sized)) -> *const () {
    (&raw const *error).cast()
}

/// Row 8. An error that passes through a context is not changed, and keeps its backtrace.
#[test]
fn test_contextmanager_traceback() {
    let mut origin = None;
    let used = block_on(boxed_errors().with(async |()| {
        let error: AnyError = Box::new(Traced(Backtrace::force_capture()));
        origin = Some((address(&*error), error.to_string()));
        Err::<(), _>(error)
    }));
    let error = used.unwrap_err();
    assert_eq!(Some((address(&*error), error.to_string())), origin);
}

/// Row 8. The message of a panic that passes through a context has the location of its origin.
#[test]
fn test_contextmanager_traceback_of_a_panic() {
    let line = line!() + 2;
    let payload = payload_of(logged(Log::new()).with(async |_| -> Result<(), Raised> {
        panic_with(8);
    }));
    assert_eq!((payload, lines_of_panics()), (Payload(8), vec![line]));
}

/// Row 9. An exit by hand with a failure returns the exit's own result. The caller has the body's error.
#[test]
fn test_contextmanager_no_reraise() {
    let log = Log::new();
    block_on(async {
        let guard = logged(log.clone()).enter().await.unwrap();
        assert_eq!(guard.exit_with(Outcome::Failed(())).await, Ok(()));
    });
    assert_eq!(log.line(), "1 999 Failed(())");
}

#[derive(Debug)]
struct SyntaxError;

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("syntax")
    }
}

impl Error for SyntaxError {}

#[async_context(catch)]
async fn replaces() -> Result<(), AnyError> {
    match yield_resource!() {
        Outcome::Failed(error) if error.is::<Raised>() => Err(SyntaxError.into()),
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// Row 13. The exit may return an error of another type instead of the body's. The Python test is about an
/// exception that is given as a type without a value, which has no counterpart here.
#[test]
fn test_contextmanager_non_normalised() {
    block_on(async {
        let used = replaces()
            .catch(async |()| Err::<(), AnyError>(raised("Runtime").into()))
            .await;
        assert!(used.unwrap_err().is::<SyntaxError>());
        let used = replaces()
            .catch(async |()| Err::<(), AnyError>("text".into()))
            .await;
        assert_eq!(used.unwrap_err().to_string(), "text");
    });
}

#[async_context(catch)]
async fn swallows(log: Log, what: &'static str) -> Result<u32, Raised> {
    log.push(1);
    let mut number = 42;
    match yield_resource!(number) {
        Outcome::Failed(error) if error.name == what => {
            log.push(error);
            log.push(999);
            Ok(())
        }
        Outcome::Failed(error) => Err(error),
        _ => Ok(()),
    }
}

/// Row 14. A context that gets the error may swallow it, and the code after the use runs. The context has to
/// say `catch` and return `Ok(())`. In Python it is enough not to raise the error again.
#[test]
fn test_contextmanager_except() {
    let log = Log::new();
    let used = block_on(swallows(log.clone(), "ZeroDivision").catch(async |x| {
        log.push(*x);
        Err::<(), _>(raised("ZeroDivision"))
    }));
    // The use has no value, because the body ended early.
    assert_eq!(used, Ok(None));
    assert_eq!(log.line(), "1 42 ZeroDivision 999");
}

/// Row 14. A context that ignores the error does not swallow it, unless it catches.
#[test]
fn test_contextmanager_except_is_explicit() {
    let used = block_on(logged(Log::new()).with(async |_| Err::<(), _>(raised("ZeroDivision"))));
    assert_eq!(used, Err(raised("ZeroDivision")));
}

#[async_context]
async fn fails(enter: bool, exit: bool) -> Result<(), Raised> {
    if enter {
        return Err(raised("Stop"));
    }
    yield_resource!();
    if exit {
        return Err(raised("Stop"));
    }
    Ok(())
}

#[async_context]
async fn cannot_fail() -> u32 {
    let mut number = 1;
    yield_resource!(number);
}

/// Row 15. No error has a special meaning: one of the same type and value may come from the set-up, the body
/// and the clean-up. Python has to distinguish a `StopAsyncIteration` from the end of the generator.
#[test]
fn test_contextmanager_except_stopiter() {
    let stop = || raised("Stop");
    block_on(async {
        let used = fails(true, false)
            .try_with(async |()| Err::<(), _>(stop()))
            .await;
        assert_eq!(used, Err(TryWithError::Enter(stop())));
        let used = fails(false, false)
            .try_with(async |()| Err::<(), _>(stop()))
            .await;
        assert_eq!(used, Err(TryWithError::Body(stop())));
        let used = fails(false, true)
            .try_with(async |()| Ok::<_, Raised>(()))
            .await;
        assert_eq!(
            used,
            Err(TryWithError::Exit {
                value: (),
                error: stop()
            })
        );
        let used = fails(false, true)
            .try_with(async |()| Err::<(), _>(stop()))
            .await;
        assert_eq!(
            used,
            Err(TryWithError::BodyAndExit {
                body: stop(),
                exit: stop()
            })
        );
    });
}

/// Row 15. `()` and `None`, which are errors without contents, pass through a context too.
#[test]
fn test_contextmanager_except_stopiter_without_an_error() {
    async fn no_item() -> Option<u32> {
        let item = async_with!(number = cannot_fail(), { None::<u32>? + *number });
        Some(item)
    }
    block_on(async {
        assert_eq!(no_item().await, None);
        let used = cannot_fail()
            .with_error()
            .with(async |_| Err::<u32, ()>(()))
            .await;
        assert_eq!(used, Err(()));
    });
}

#[async_context(catch)]
async fn wraps() -> Result<(), Raised> {
    match yield_resource!() {
        Outcome::Failed(error) => Err(raised("Runtime").from(error)),
        _ => Ok(()),
    }
}

/// Row 16. The exit may wrap the body's error, which is then the source of the new error. Python unwraps a
/// `StopAsyncIteration` again; here no error is special.
#[test]
fn test_contextmanager_wrap_runtimeerror() {
    for name in ["ZeroDivision", "StopAsyncIteration"] {
        let used = block_on(wraps().catch(async |()| Err::<(), _>(raised(name))));
        let error = used.unwrap_err();
        assert_eq!(error.name, "Runtime");
        assert_eq!(
            error.source().and_then(|source| source.downcast_ref()),
            Some(&raised(name))
        );
    }
}

mod attribs {
    #![deny(unfulfilled_lint_expectations)]

    use super::*;

    #[deprecated(note = "kept")]
    #[must_use = "kept"]
    #[async_context(scoped)]
    pub(super) async fn baz<'a, T, const N: usize>(text: &'a T) -> Result<&'a str, Raised>
    where
        T: AsRef<str> + ?Sized,
    {
        let mut text = text.as_ref().get(..N).unwrap_or_default();
        yield_resource!(text);
        Ok(())
    }

    #[cfg(any())]
    #[async_context]
    async fn chosen() -> u32 {
        let mut number: u32 = "configured away";
        yield_resource!(number);
    }

    #[cfg(not(any()))]
    #[async_context]
    pub(super) async fn chosen() -> u32 {
        let mut number = 3;
        yield_resource!(number);
    }
}

/// Row 17. A context function keeps its name, visibility, generics, lifetimes, bounds and attributes.
#[test]
#[deny(unfulfilled_lint_expectations)]
fn test_contextmanager_attribs() {
    #[expect(deprecated)]
    fn make(text: &String) -> impl AsyncContext<Resource = &str, Error = Raised> {
        #[expect(unused_must_use)]
        fn unused() {
            #[expect(deprecated)]
            attribs::baz::<_, 1>("text");
        }
        unused();
        attribs::baz::<_, 3>(text)
    }
    let text = String::from("foobar");
    let first = block_on(make(&text).with(async |first| Ok::<_, Raised>(*first)));
    assert_eq!(first, Ok("foo"));
    assert_eq!(block_on(attribs::chosen().run(async |number| *number)), 3);
    assert!(std::any::type_name_of_val(&attribs::chosen).ends_with("attribs::chosen"));
}

#[derive(Clone, Copy)]
struct Base(u32);

impl Base {
    #[async_context(scoped)]
    #[expect(clippy::too_many_arguments)]
    async fn whoo(
        &self,
        yielder: u32,
        out: u32,
        the_one_yield: u32,
        a_yield_or_err_on_every_path: u32,
        outcome: u32,
        this: u32,
        r#type: u32,
        core: u32,
    ) -> u32 {
        let mut sum = self.0 + yielder + out + the_one_yield + a_yield_or_err_on_every_path;
        sum += outcome + this + r#type + core;
        yield_resource!(sum);
    }
}

#[expect(clippy::too_many_arguments)]
#[within(resource = base.whoo(value, returns, signal, order, context, 0, 0, 0))]
async fn used_within(
    base: Base,
    value: u32,
    returns: u32,
    signal: u32,
    order: u32,
    context: u32,
    ended: u32,
    left: u32,
    returned: u32,
) -> u32 {
    let own = value + returns + signal + order + context + ended + left + returned;
    *resource * 1_000 + own
}

/// Row 20. No argument name is reserved, neither in a context nor around its use.
#[test]
fn test_keywords() {
    block_on(async {
        let sum = Base(1)
            .whoo(2, 3, 4, 5, 6, 7, 8, 9)
            .run(async |sum| *sum)
            .await;
        assert_eq!(sum, 45);
        assert_eq!(used_within(Base(1), 2, 3, 4, 5, 6, 7, 8, 9).await, 21_044);
    });
}

#[derive(Clone, Default)]
struct Depth(Log, std::sync::Arc<std::sync::Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    contexts: u32,
    depth: u32,
    deepest: u32,
}

#[async_context]
async fn woohoo(depth: Depth) {
    let change = |by: i32| {
        let mut counts = depth.1.lock().unwrap();
        counts.depth = counts.depth.strict_add_signed(by);
        counts.deepest = counts.deepest.max(counts.depth);
        counts.depth
    };
    depth.1.lock().unwrap().contexts += 1;
    change(1);
    yield_resource!();
    depth.0.push(change(-1));
}

#[within(_level = woohoo(depth.clone()))]
async fn recursive(depth: Depth, more: u32) {
    if more > 0 {
        Box::pin(recursive(depth, more - 1)).await;
    }
}

/// Row 21. A decorated function that calls itself enters one context for each call. They exit from the inside
/// out.
#[test]
fn test_recursive() {
    let depth = Depth::default();
    block_on(recursive(depth.clone(), 9));
    let counts = depth.1.lock().unwrap();
    assert_eq!((counts.contexts, counts.depth, counts.deepest), (10, 0, 10));
    assert_eq!(depth.0.line(), "9 8 7 6 5 4 3 2 1 0");
}

#[within(number = logged(log.clone())?)]
async fn decorated(log: Log, end: &'static str) -> Result<u32, Raised> {
    log.push(*number);
    match end {
        "panic" => panic_with(23),
        "fine" => Ok(*number + 1),
        name => Err(raised(name)),
    }
}

/// Row 22. A decorated function enters its context during the call, and exits it before the call returns. The
/// call that makes the future enters nothing. Unlike Python's decorated function, the body can use the
/// yielded value.
#[test]
fn test_decorator() {
    let log = Log::new();
    let call = decorated(log.clone(), "fine");
    assert_eq!(log.line(), "");
    assert_eq!(block_on(call), Ok(43));
    assert_eq!(log.line(), "1 42 999 Completed");
}

/// Row 23. The error of a decorated function is returned after the clean-up.
#[test]
fn test_decorator_with_exception() {
    let log = Log::new();
    assert_eq!(
        block_on(decorated(log.clone(), "Name")),
        Err(raised("Name"))
    );
    assert_eq!(log.line(), "1 42 999 Failed(())");
}

/// Row 23. The panic of a decorated function unwinds after the clean-up.
#[test]
fn test_decorator_with_exception_that_is_a_panic() {
    let log = Log::new();
    assert_eq!(payload_of(decorated(log.clone(), "panic")), Payload(23));
    assert_eq!(log.line(), "1 42 999 Panicked");
}

struct Method {
    log: Log,
    sum: u32,
}

trait Decorated {
    async fn in_trait(&mut self, a: u32, b: &str) -> Result<u32, Raised>;
}

impl Decorated for Method {
    #[within(number = logged(self.log.clone())?)]
    async fn in_trait(&mut self, a: u32, b: &str) -> Result<u32, Raised> {
        self.sum += a + *number;
        self.log.push(b);
        Ok(self.sum)
    }
}

impl Method {
    #[within(_number = logged(self.log.clone())?)]
    async fn by_reference(&self, a: u32, b: &str) -> Result<u32, Raised> {
        self.log.push(b);
        Ok(self.sum + a)
    }

    #[within(_number = logged(self.log.clone())?)]
    async fn by_value(self, a: u32, b: &str) -> Result<u32, Raised> {
        self.log.push(b);
        Ok(self.sum + a)
    }
}

/// Row 24. A method can be decorated, with every receiver and in a trait. Its arguments are not changed.
#[test]
fn test_decorating_method() {
    let log = Log::new();
    let mut method = Method {
        log: log.clone(),
        sum: 1,
    };
    block_on(async {
        assert_eq!(method.in_trait(2, "trait").await, Ok(45));
        assert_eq!(log.line(), "1 trait 999 Completed");
        assert_eq!(method.by_reference(3, "reference").await, Ok(48));
        assert_eq!(log.line(), "1 reference 999 Completed");
        assert_eq!(method.by_value(4, "value").await, Ok(49));
        assert_eq!(log.line(), "1 value 999 Completed");
    });
}
