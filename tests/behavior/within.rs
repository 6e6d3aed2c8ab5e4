//! `#[within]`: contexts around the body of a function.

use std::future::pending;

use guard_core::{AsyncContext, Outcome, async_context, within, yield_resource};
use guard_tests::{Dropped, Log, block_on, poll_once};

/// A context that lends a name, and logs the name and the outcome.
#[async_context]
async fn traced(log: Log, name: String) -> Result<String, String> {
    log.push(format_args!("enter({name})"));
    let mut lent = name;
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({lent}, {outcome:?})"));
    Ok(())
}

/// As `traced`, for a context that cannot fail.
#[async_context]
async fn infallible(log: Log) -> u32 {
    let mut lent = 40;
    let outcome = yield_resource!(lent);
    log.push(format_args!("exit({outcome:?})"));
}

#[within(resource = traced(log.clone(), name.to_string())?)]
async fn by_name(log: &Log, name: &str, fails: bool) -> Result<usize, String> {
    log.push("body");
    resource.push('!');
    if fails {
        return Err("bad".into());
    }
    Ok(resource.len())
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let log = Log::new();
    let call = by_name(&log, "a", false);
    assert_eq!(log.line(), "");
    drop(call);
    assert_eq!(log.line(), "");
    assert_eq!(block_on(by_name(&log, "a", false)), Ok(2));
    assert_eq!(log.line(), "enter(a) body exit(a!, Completed)");
}

#[test]
fn every_call_has_its_own_context() {
    let log = Log::new();
    let (first, second) = (by_name(&log, "a", false), by_name(&log, "bc", false));
    assert_eq!((block_on(second), block_on(first)), (Ok(3), Ok(2)));
    assert_eq!(
        log.line(),
        "enter(bc) body exit(bc!, Completed) enter(a) body exit(a!, Completed)"
    );
}

#[test]
fn contexts_stand_in_the_test_that_an_attribute_above_has_put_into_another_function() {
    // As `#[rstest]` without cases, and `#[sqlx::test]`.
    #[within(lent = traced(log.clone(), name.to_owned()).expect("a name"))]
    async fn stored(log: Log) {
        async fn stored(log: &Log, name: &str) {
            log.push(format_args!("body({lent}, {name})"));
        }
        let name = "a";
        stored(&log, name).await;
    }

    #[within(lent = traced(log.clone(), name.to_owned())?)]
    fn blocking(log: Log) -> Result<usize, String> {
        async fn blocking(log: &Log, name: &str) -> Result<usize, String> {
            log.push(format_args!("body({lent}, {name})"));
            Ok(lent.len())
        }
        block_on(blocking(&log, "b"))
    }

    let log = Log::new();
    block_on(stored(log.clone()));
    assert_eq!(log.line(), "enter(a) body(a, a) exit(a, Completed)");
    let log = Log::new();
    assert_eq!(blocking(log.clone()), Ok(1));
    assert_eq!(log.line(), "enter(b) body(b, b) exit(b, Completed)");
}

#[test]
fn the_outcome_follows_from_the_returned_value() {
    #[within(_resource = traced(log.clone(), "a".to_string())?)]
    async fn question_mark(log: &Log) -> Result<u32, String> {
        let failed: Result<u32, String> = Err("bad".into());
        Ok(failed?)
    }
    #[within(_resource = traced(log.clone(), "a".to_string())?)]
    async fn tail(log: &Log) -> Result<u32, String> {
        Err("bad".into())
    }
    #[within(_resource = infallible(log.clone()))]
    async fn panics(log: &Log) {
        std::panic::panic_any("ouch");
    }
    #[within(_resource = infallible(log.clone()))]
    async fn none(log: &Log) -> Option<u32> {
        None?
    }

    let log = Log::new();
    assert_eq!(block_on(by_name(&log, "a", true)), Err("bad".into()));
    assert_eq!(log.line(), "enter(a) body exit(a!, Failed(()))");
    assert_eq!(block_on(question_mark(&log)), Err("bad".into()));
    assert_eq!(log.line(), "enter(a) exit(a, Failed(()))");
    assert_eq!(block_on(tail(&log)), Err("bad".into()));
    assert_eq!(log.line(), "enter(a) exit(a, Failed(()))");
    assert_eq!(block_on(none(&log)), None);
    assert_eq!(log.line(), "exit(Failed(()))");
    let panicking = std::panic::AssertUnwindSafe(|| block_on(panics(&log)));
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert_eq!(log.line(), "exit(Panicked)");
}

#[test]
fn a_dropped_call_is_a_cancelled_use() {
    #[within(_resource = infallible(log.clone()))]
    async fn waits(log: &Log) {
        let _held = Dropped(log.clone(), "held");
        pending::<()>().await;
    }

    let log = Log::new();
    let mut call = Box::pin(waits(&log));
    assert!(poll_once(call.as_mut()).is_pending());
    drop(call);
    assert_eq!(log.line(), "drop(held) exit(Cancelled)");
}

#[test]
fn within_takes_several_contexts_and_joins() {
    #[within(
        a = traced(log.clone(), "a".to_string())?,
        join(b = traced(log.clone(), format!("{a}b"))?, n = infallible(log.clone())),
    )]
    async fn several(log: &Log) -> Result<String, String> {
        *n += 2;
        Ok(format!("{a} {b} {n}"))
    }

    let log = Log::new();
    assert_eq!(block_on(several(&log)), Ok("a ab 42".into()));
    assert_eq!(
        log.line(),
        "enter(a) enter(ab) exit(Completed) exit(ab, Completed) exit(a, Completed)"
    );
}

#[test]
fn an_exit_error_is_the_error_of_the_call() {
    #[async_context]
    async fn failing() -> Result<(), String> {
        yield_resource!();
        Err("exit".into())
    }
    #[within(_failing = failing()?)]
    async fn call() -> Result<u32, String> {
        Ok(1)
    }
    assert_eq!(block_on(call()), Err("exit".into()));
}

struct Service {
    log: Log,
    calls: u32,
}

impl Service {
    #[within(resource = traced(self.log.clone(), "shared".to_string())?)]
    async fn shared(&self, by: usize) -> Result<usize, String> {
        Ok(resource.len() + by)
    }

    #[within(n = infallible(self.log.clone()))]
    async fn exclusive(&mut self) -> u32 {
        self.calls += 1;
        *n + self.calls
    }

    #[within(n = infallible(self.log.clone()))]
    async fn owning(self) -> u32 {
        *n + self.calls
    }
}

#[test]
fn within_works_on_methods() {
    let log = Log::new();
    let mut service = Service {
        log: log.clone(),
        calls: 0,
    };
    assert_eq!(block_on(service.shared(1)), Ok(7));
    assert_eq!(block_on(service.exclusive()), 41);
    assert_eq!(block_on(service.exclusive()), 42);
    assert_eq!(block_on(service.owning()), 42);
    assert_eq!(
        log.line(),
        "enter(shared) exit(shared, Completed) exit(Completed) exit(Completed) exit(Completed)"
    );
}

#[test]
fn within_works_on_methods_of_traits() {
    trait Handler {
        async fn handle(&self, request: &str) -> Result<String, String>;

        #[allow(unused_variables)]
        #[within(n = infallible(log.clone()))]
        async fn provided(&self, log: &Log) -> u32 {
            *n
        }
    }
    impl Handler for Log {
        #[within(resource = traced(self.clone(), "a".to_string())?)]
        async fn handle(&self, request: &str) -> Result<String, String> {
            Ok(format!("{request}{resource}"))
        }
    }

    let log = Log::new();
    assert_eq!(block_on(log.handle("b")), Ok("ba".into()));
    assert_eq!(block_on(log.provided(&log)), 40);
    assert_eq!(log.line(), "enter(a) exit(a, Completed) exit(Completed)");
}

#[test]
fn within_works_with_generics_patterns_and_impl_trait() {
    #[within(n = infallible(log.clone()))]
    async fn generic<const N: usize, T>(
        log: &Log,
        (first, mut second): (T, T),
        rest: impl IntoIterator<Item = T>,
    ) -> [T; N]
    where
        T: Into<u32> + From<u8> + Copy,
    {
        *n = first.into() + second.into();
        if let Some(next) = rest.into_iter().next() {
            second = next;
        }
        [second; N]
    }

    let log = Log::new();
    assert_eq!(block_on(generic(&log, (1_u32, 2), [7])), [7, 7]);
    assert_eq!(log.line(), "exit(Completed)");
}

#[test]
fn within_works_with_recursion() {
    #[within(_resource = traced(log.clone(), depth.to_string())?)]
    async fn recursive(log: &Log, depth: usize) -> Result<usize, String> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(Box::pin(recursive(log, depth - 1)).await? + 1)
    }

    let log = Log::new();
    assert_eq!(block_on(recursive(&log, 2)), Ok(2));
    assert_eq!(
        log.line(),
        "enter(2) enter(1) enter(0) exit(0, Completed) exit(1, Completed) exit(2, Completed)"
    );
}

#[test]
fn the_call_can_be_spawned() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let log = Log::new();
    assert_eq!(block_on(is_send(by_name(&log, "a", false))), Ok(2));
}

#[test]
fn arguments_are_dropped_after_the_contexts_and_temporaries_before() {
    struct Temporary(Dropped);
    impl Temporary {
        fn value(&self) -> u32 {
            u32::try_from(self.0.1.len()).unwrap()
        }
    }

    #[within(n = infallible(log.clone()))]
    async fn call(log: Log, _: Dropped, argument: Dropped) -> u32 {
        let _local = Dropped(log.clone(), "local");
        *n += 1;
        let _ = &argument;
        Temporary(Dropped(log.clone(), "temporary")).value()
    }

    let log = Log::new();
    let call = call(
        log.clone(),
        Dropped(log.clone(), "unnamed"),
        Dropped(log.clone(), "argument"),
    );
    assert_eq!(block_on(call), 9);
    assert_eq!(
        log.line(),
        "drop(temporary) drop(local) exit(Completed) drop(argument) drop(unnamed)"
    );
}

mod elsewhere {
    pub(super) mod guard {
        pub use guard_core::*;
    }
}

#[test]
fn within_finds_a_renamed_crate_by_its_path() {
    #[within(crate = crate::within::elsewhere::guard, n = infallible(log.clone()))]
    async fn call(log: &Log) -> u32 {
        *n
    }
    // A module with the name of the crate does not matter then.
    #[allow(unused)]
    mod guard_core {}
    assert_eq!(block_on(call(&Log::new())), 40);
}

/// Fixtures with a clean-up. The attribute may stand before or after `#[tokio::test]`.
mod fixtures {
    use super::{Outcome, async_context, within, yield_resource};
    use std::io;

    #[async_context]
    async fn fixture() -> io::Result<Vec<u32>> {
        let mut lent = vec![1];
        tokio::task::yield_now().await;
        let outcome = yield_resource!(lent);
        tokio::task::yield_now().await;
        // The test fails if the outcome is another one.
        assert_eq!((outcome, lent.len()), (Outcome::Completed, 2));
        Ok(())
    }

    #[tokio::test]
    #[within(list = fixture()?)]
    async fn tokio_test_can_stand_above_within() -> io::Result<()> {
        tokio::task::yield_now().await;
        list.push(2);
        Ok(())
    }

    #[within(list = fixture()?)]
    #[tokio::test]
    async fn tokio_test_can_stand_below_within() -> io::Result<()> {
        tokio::task::yield_now().await;
        list.push(2);
        Ok(())
    }

    #[async_context]
    async fn plain() -> u32 {
        let mut lent = 1;
        tokio::task::yield_now().await;
        let outcome = yield_resource!(lent);
        assert_eq!((outcome, lent), (Outcome::Completed, 2));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    #[within(n = plain())]
    async fn tokio_test_above_within_needs_no_result() {
        *n += 1;
    }

    #[within(n = plain())]
    #[tokio::test(start_paused = true)]
    async fn tokio_test_below_within_needs_no_result() {
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        *n += 1;
    }

    #[within(n = plain())]
    #[tokio::test]
    #[should_panic = "ouch"]
    async fn tokio_test_below_within_can_have_should_panic() {
        *n += 1;
        panic!("ouch");
    }
}
