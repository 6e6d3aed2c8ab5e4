//! A set-up, a body, an exit or a destructor panics: what is still exited, and where the panic goes.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::{Arc, Mutex};

use guard_core::{AsyncContext, async_context, async_with, yield_resource};
use guard_tests::{Dropped, Log, block_on, yield_once};

use crate::simulation::{self, Fault, Step};

#[async_context]
async fn traced(log: Log) -> Result<(), Infallible> {
    let outcome = yield_resource!();
    yield_once().await;
    log.push(format_args!("exited({outcome:?})"));
    Ok(())
}

/// A payload that is known by its address.
struct Payload(Box<u8>);

#[test]
fn a_panic_of_a_body_goes_on_with_the_same_payload() {
    simulation::install();
    let (log, payload) = (Log::new(), Payload(Box::new(1)));
    let address = std::ptr::from_ref(&*payload.0);
    let using = {
        let log = log.clone();
        async move {
            async_with!(_traced = traced(log.clone()), {
                traced(log)
                    .run(async |()| std::panic::resume_unwind(Box::new(payload)))
                    .await
            })
        }
    };
    let caught = catch_unwind(AssertUnwindSafe(|| block_on(using)));
    let caught = caught.unwrap_err().downcast::<Payload>();
    assert_eq!(std::ptr::from_ref(&*caught.ok().unwrap().0), address);
    assert_eq!(log.line(), "exited(Panicked) exited(Panicked)");
}

#[test]
#[allow(clippy::await_holding_lock, reason = "that is what is tried")]
fn the_body_is_dropped_before_the_exit_which_may_need_its_locks() {
    #[async_context]
    async fn locks_in_its_exit(shared: Arc<Mutex<u8>>, log: Log) {
        yield_resource!();
        let lock = shared.try_lock();
        // Poisoned, because the guard was dropped by the unwind; but free.
        let free = matches!(lock, Ok(_) | Err(std::sync::TryLockError::Poisoned(_)));
        log.push(format_args!("free: {free}"));
    }

    simulation::install();
    let (shared, log) = (Arc::new(Mutex::new(0)), Log::new());
    let fault = Fault {
        level: 0,
        step: Step::Body,
    };
    let using = locks_in_its_exit(shared.clone(), log.clone()).run(async |()| {
        let _dropped = Dropped(log.clone(), "body");
        let _lock = shared.lock().unwrap();
        yield_once().await;
        panic_any(fault);
    });
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(using))).is_err());
    assert_eq!(log.line(), "drop(body) free: true");

    // What the body holds across its last wait, when the panic comes from below.
    let (shared, log) = (Arc::new(Mutex::new(0)), Log::new());
    let using = async {
        async_with!(_locks = locks_in_its_exit(shared.clone(), log.clone()), {
            let _dropped = Dropped(log.clone(), "body");
            let _lock = shared
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let below: std::pin::Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {
                yield_once().await;
                panic_any(fault);
            });
            below.await;
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(using))).is_err());
    assert_eq!(log.line(), "drop(body) free: true");
}

/// Panics when dropped.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("in a destructor"));
    }
}

#[test]
fn a_body_that_panics_when_it_is_dropped_has_panicked() {
    simulation::install();
    let log = Log::new();
    let using = {
        let log = log.clone();
        async move {
            async_with!(_traced = traced(log), {
                let _panics = PanicsInDrop;
                yield_once().await;
            });
        }
    };
    let caught = catch_unwind(AssertUnwindSafe(|| block_on(using)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in a destructor"));
    assert_eq!(log.line(), "exited(Panicked)");
}

#[test]
fn a_body_that_panics_when_its_use_is_dropped_is_exited_all_the_same() {
    simulation::install();
    let log = Log::new();
    let mut using = Box::pin({
        let log = log.clone();
        async move {
            async_with!(_outer = traced(log.clone()), _inner = traced(log), {
                let _panics = PanicsInDrop;
                std::future::pending::<()>().await;
            });
        }
    });
    assert!(guard_tests::poll_once(using.as_mut()).is_pending());
    // It is the user's destructor that panics, so the panic is the user's to have.
    let caught = catch_unwind(AssertUnwindSafe(|| drop(using)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in a destructor"));
    simulation::finish_background();
    assert_eq!(log.line(), "exited(Cancelled) exited(Cancelled)");
}

#[test]
fn a_panic_of_the_set_up_goes_to_the_user_and_nothing_is_exited() {
    #[async_context]
    async fn panics_in_its_set_up(log: Log) {
        let _dropped = Dropped(log.clone(), "set-up");
        yield_once().await;
        if true {
            std::panic::resume_unwind(Box::new("in the set-up"));
        }
        yield_resource!();
        log.push("exited");
    }

    simulation::install();
    let log = Log::new();
    let using = panics_in_its_set_up(log.clone()).run(async |()| ());
    let caught = catch_unwind(AssertUnwindSafe(|| block_on(using)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in the set-up"));
    assert_eq!(log.line(), "drop(set-up)");
    assert_eq!(simulation::background_tasks(), 0);
}

#[test]
fn a_panic_of_an_inner_exit_is_a_panic_to_the_outer_context() {
    #[async_context]
    async fn panics_in_its_exit() {
        yield_resource!();
        yield_once().await;
        std::panic::resume_unwind(Box::new("in the exit"));
    }

    simulation::install();
    let log = Log::new();
    let using = traced(log.clone()).run(async |()| panics_in_its_exit().run(async |()| ()).await);
    let caught = catch_unwind(AssertUnwindSafe(|| block_on(using)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"in the exit"));
    assert_eq!(log.line(), "exited(Panicked)");
}

#[test]
fn a_closure_that_panics_before_its_future_is_made_has_panicked() {
    simulation::install();
    let log = Log::new();
    // An `async` closure runs nothing before its first poll, but it is called there.
    let using = traced(log.clone()).run(async |()| {
        panic_any(Fault {
            level: 0,
            step: Step::Body,
        })
    });
    let caught: Result<(), _> = catch_unwind(AssertUnwindSafe(|| block_on(using)));
    assert!(caught.unwrap_err().is::<Fault>());
    assert_eq!(log.line(), "exited(Panicked)");
}
