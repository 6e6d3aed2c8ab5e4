//! When a use has failed: which outcome the context gets for each way to leave the use.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::ops::ControlFlow;
use std::task::Poll;

use guard_core::{AsyncContext, Outcome, async_context, async_with, within, yield_resource};
use guard_tests::block_on;

use crate::reports;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure;

thread_local! {
    static OUTCOMES: RefCell<Vec<Outcome>> = const { RefCell::new(Vec::new()) };
}

fn record(outcome: Outcome) {
    OUTCOMES.with_borrow_mut(|outcomes| outcomes.push(outcome));
}

/// The outcomes that the contexts got in `use_them`.
fn outcomes<F: Future>(use_them: F) -> Vec<Outcome> {
    block_on(use_them);
    OUTCOMES.take()
}

#[async_context(scoped)]
async fn infallible() -> u8 {
    let mut number = 5;
    let outcome = yield_resource!(number);
    record(outcome);
}

#[async_context(scoped)]
async fn fallible() -> Result<u8, Failure> {
    let mut number = 5;
    let outcome = yield_resource!(number);
    record(outcome);
    Ok(())
}

const COMPLETED: Outcome = Outcome::Completed;
const FAILED: Outcome = Outcome::Failed(());

#[test]
fn a_block_that_ends_with_an_err_has_failed() {
    async fn value(value: Result<u8, Failure>) -> Result<u8, Failure> {
        async_with!(_c = fallible()?, { value })
    }
    assert_eq!(outcomes(value(Ok(1))), [COMPLETED]);
    assert_eq!(outcomes(value(Err(Failure))), [FAILED]);
}

#[test]
fn a_result_in_a_tuple_is_no_failure() {
    async fn wrapped() {
        let (result,) = async_with!(_c = infallible(), { (Err::<u8, _>(Failure),) });
        assert_eq!(result, Err(Failure));
    }
    assert_eq!(outcomes(wrapped()), [COMPLETED]);
}

#[test]
fn a_value_of_a_generic_or_opaque_type_can_fail() {
    async fn generic<T>(value: T) -> T {
        async_with!(_c = infallible(), { value })
    }
    async fn returned<T>(value: T) -> T {
        async_with!(_c = infallible(), {
            return value;
        })
    }
    fn opaque() -> impl Debug {
        Err::<u8, Failure>(Failure)
    }
    async fn opaque_value() -> impl Debug {
        async_with!(_c = infallible(), { opaque() })
    }
    trait Job {
        type Out;
        fn run(self) -> Self::Out;
    }
    struct Fails;
    impl Job for Fails {
        type Out = Result<(), Failure>;
        fn run(self) -> Self::Out {
            Err(Failure)
        }
    }
    #[within(_c = infallible())]
    async fn associated<J: Job>(job: J) -> J::Out {
        job.run()
    }
    #[within(_c = infallible())]
    async fn of_closure<T>(body: impl AsyncFnOnce() -> T) -> T {
        body().await
    }
    assert_eq!(outcomes(generic(Err::<(), _>(Failure))), [FAILED]);
    assert_eq!(outcomes(generic(Ok::<_, Failure>(()))), [COMPLETED]);
    assert_eq!(outcomes(returned(Err::<(), _>(Failure))), [FAILED]);
    assert_eq!(outcomes(opaque_value()), [FAILED]);
    assert_eq!(outcomes(associated(Fails)), [FAILED]);
    assert_eq!(
        outcomes(of_closure(async || Err::<(), _>(Failure))),
        [FAILED]
    );
}

#[test]
fn a_use_fails_only_by_an_err_or_a_question_mark() {
    async fn none_at_the_end() -> Option<u8> {
        async_with!(_c = infallible(), { None })
    }
    async fn none_returned(value: Option<u8>) -> Option<u8> {
        async_with!(_c = infallible(), {
            return value;
        })
    }
    async fn none_asked() -> Option<u8> {
        Some(async_with!(_c = infallible(), { None::<u8>? }))
    }
    async fn broken(value: ControlFlow<u8>) -> ControlFlow<u8> {
        async_with!(_c = infallible(), {
            return value;
        })
    }
    async fn broken_asked(value: ControlFlow<u8>) -> ControlFlow<u8> {
        async_with!(_c = infallible(), { value? });
        ControlFlow::Continue(())
    }
    async fn polled() -> Poll<Result<u8, Failure>> {
        async_with!(_c = infallible(), {
            return Poll::Ready(Err(Failure));
        })
    }
    #[allow(dead_code)]
    enum Own {
        Ok,
        Err,
    }
    async fn own() -> Own {
        async_with!(_c = infallible(), { Own::Err })
    }
    assert_eq!(outcomes(none_at_the_end()), [COMPLETED]);
    assert_eq!(outcomes(none_returned(None)), [COMPLETED]);
    assert_eq!(outcomes(none_asked()), [FAILED]);
    assert_eq!(outcomes(broken(ControlFlow::Break(1))), [COMPLETED]);
    assert_eq!(outcomes(broken_asked(ControlFlow::Break(1))), [FAILED]);
    assert_eq!(
        outcomes(broken_asked(ControlFlow::Continue(()))),
        [COMPLETED]
    );
    assert_eq!(outcomes(polled()), [COMPLETED]);
    assert_eq!(outcomes(own()), [COMPLETED]);
}

#[test]
fn a_closure_that_ends_with_an_err_has_failed() {
    async fn by_run() {
        let _ = infallible().run(async |_| Err::<u8, _>(Failure)).await;
    }
    async fn by_with() {
        let _ = fallible().with(async |_| Err::<u8, _>(Failure)).await;
    }
    assert_eq!(outcomes(by_run()), [FAILED]);
    assert_eq!(outcomes(by_with()), [FAILED]);
}

#[test]
fn a_loop_that_is_left_with_an_err_has_failed() {
    #[allow(clippy::never_loop, reason = "the test is about it")]
    async fn looping(value: Result<u8, Failure>) -> Result<u8, Failure> {
        loop {
            async_with!(_c = infallible(), { break value });
        }
    }
    assert_eq!(outcomes(looping(Ok(1))), [COMPLETED]);
    assert_eq!(outcomes(looping(Err(Failure))), [FAILED]);
}

/// As `scopeguard::defer!`: a closure that runs when the scope is left.
macro_rules! defer {
    ($($code:tt)*) => {
        let _deferred = Deferred(Some(|| { $($code)* }));
    };
}

struct Deferred<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Deferred<F> {
    fn drop(&mut self) {
        if let Some(deferred) = self.0.take() {
            deferred();
        }
    }
}

#[test]
fn a_return_in_a_closure_of_a_macro_does_not_make_a_question_mark_a_success() {
    async fn deferring(early: bool) -> Result<(), Failure> {
        async_with!(_c = fallible()?, {
            defer! { if early { return; } }
            Err::<(), _>(Failure)?;
        });
        Ok(())
    }
    assert_eq!(outcomes(deferring(true)), [FAILED]);
    assert_eq!(outcomes(deferring(false)), [FAILED]);
}

#[test]
fn a_return_in_a_macro_fails_by_its_value() {
    macro_rules! leave {
        ($value:expr) => {
            return $value
        };
    }
    async fn hidden(value: Result<u8, Failure>) -> Result<u8, Failure> {
        async_with!(_c = fallible()?, { leave!(value) })
    }
    #[allow(
        clippy::unused_unit,
        reason = "the value of the `return` has this type"
    )]
    async fn of_nothing() {
        async_with!(_c = infallible(), { leave!(()) })
    }
    assert_eq!(outcomes(hidden(Ok(1))), [COMPLETED]);
    assert_eq!(outcomes(hidden(Err(Failure))), [FAILED]);
    assert_eq!(outcomes(of_nothing()), [COMPLETED]);
}

#[test]
fn contexts_inside_a_catching_one_get_completed_when_the_error_is_swallowed() {
    #[async_context(scoped, catch)]
    async fn by_value(ignore: bool) -> Result<u8, Failure> {
        async_with!(c = fallible()?, {
            match yield_resource!(*c) {
                Outcome::Failed(error) if !ignore => Err(error),
                _ => Ok(()),
            }
        })
    }
    #[async_context(scoped, catch)]
    async fn by_return(ignore: bool) -> Result<u8, Failure> {
        async_with!(c = fallible()?, {
            return match yield_resource!(*c) {
                Outcome::Failed(error) if !ignore => Err(error),
                _ => Ok(()),
            };
        })
    }
    #[async_context(scoped, catch)]
    async fn outside(ignore: bool) -> Result<u8, Failure> {
        match async_with!(c = fallible()?, { yield_resource!(*c) }) {
            Outcome::Failed(error) if !ignore => Err(error),
            _ => Ok(()),
        }
    }
    async fn caught(context: impl AsyncContext<Failure, Error = Failure>) {
        let _ = context.catch(async |_| Err::<(), _>(Failure)).await;
    }
    assert_eq!(outcomes(caught(by_value(true))), [COMPLETED]);
    assert_eq!(outcomes(caught(by_value(false))), [FAILED]);
    assert_eq!(outcomes(caught(by_return(true))), [COMPLETED]);
    assert_eq!(outcomes(caught(by_return(false))), [FAILED]);
    // The block returns the outcome as a value, so nobody knows yet what happens to the error.
    assert_eq!(outcomes(caught(outside(true))), [FAILED]);
    assert_eq!(outcomes(caught(outside(false))), [FAILED]);
}

#[test]
fn the_error_or_panic_of_a_body_is_reported_when_its_use_is_dropped_during_the_exit() {
    #[async_context(scoped)]
    async fn slow() -> Result<u8, Failure> {
        let mut number = 5;
        yield_resource!(number);
        guard_tests::yield_once().await;
        Ok(())
    }
    async fn in_block(value: Result<(), Failure>) -> Result<(), Failure> {
        async_with!(_c = slow()?, { value? });
        Ok(())
    }
    async fn in_closure(value: Result<(), Failure>) -> Result<(), Failure> {
        slow().with(async |_| value).await
    }
    async fn panics() -> Result<(), Failure> {
        async_with!(_c = slow()?, { std::panic::panic_any("the body's") });
        Ok(())
    }
    fn lost(use_it: impl Future) -> Vec<String> {
        reports::collect();
        assert!(guard_tests::poll_once(Box::pin(use_it).as_mut()).is_pending());
        let reports = reports::take();
        assert_eq!(reports[0], "Abandoned");
        let lost = reports[1..].iter();
        lost.map(|line| line.split('(').next().unwrap().to_string())
            .collect()
    }
    assert_eq!(lost(in_block(Err(Failure))), ["Failed"]);
    assert_eq!(lost(in_block(Ok(()))), [""; 0]);
    assert_eq!(lost(in_closure(Err(Failure))), ["Failed"]);
    assert_eq!(lost(in_closure(Ok(()))), [""; 0]);
    assert_eq!(lost(panics()), ["Panicked"]);
}

/// Code that compiles without type annotations.
#[allow(dead_code, unreachable_code, unused)]
mod without_annotations {
    use super::*;

    fn die() -> ! {
        panic!()
    }

    async fn serve() -> ! {
        loop {
            guard_tests::yield_once().await;
        }
    }

    async fn serve_infallible() -> Infallible {
        serve().await
    }

    async fn blocks_that_diverge(condition: bool) -> u8 {
        async_with!(_c = infallible(), { die() });
        async_with!(_c = infallible(), { serve().await });
        async_with!(_c = infallible(), { match serve_infallible().await {} });
        async_with!(_c = infallible(), {
            match condition {
                true => return 1,
                false => return 2,
            }
        });
        unreachable!()
    }

    async fn exits() -> Result<(), Failure> {
        async_with!(_c = fallible()?, { std::process::exit(0) });
        Ok(())
    }

    async fn jumps() {
        'a: loop {
            async_with!(_c = infallible(), {
                if true { break 'a } else { continue 'a }
            });
        }
    }

    async fn types_that_are_told_later(condition: bool) -> u32 {
        let from_arm = match condition {
            true => async_with!(_c = infallible(), { "1".parse().unwrap() }),
            false => 3_u32,
        };
        let mut pushed: Vec<u32> = vec![];
        pushed.push(async_with!(_c = infallible(), { "1".parse().unwrap() }));
        let mut later = vec![];
        later.push(async_with!(_c = infallible(), { "1".parse().unwrap() }));
        let _: &Vec<u32> = &later;
        from_arm
    }

    async fn into_later(condition: bool) -> Result<String, Failure> {
        let text = async_with!(_c = fallible()?, { "a".into() });
        if condition {
            return Ok(text);
        }
        let text: String = text;
        Ok(text)
    }

    async fn returned_of_any_type(text: &str) -> u8 {
        async_with!(_c = infallible(), {
            return text.parse().unwrap();
        })
    }

    struct Config {
        port: u16,
    }

    async fn asked_of_any_type() -> Result<Config, Failure> {
        fn deserialized<T: Default>() -> Result<T, Failure> {
            Ok(T::default())
        }
        let port = async_with!(_c = fallible()?, { deserialized()? });
        Ok(Config { port })
    }
}
