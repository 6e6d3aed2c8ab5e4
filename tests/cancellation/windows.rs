//! `cancellable!`: waits that a cancelled enter gives up.

use std::sync::Arc;

use guard_core::{AsyncContext, async_context, async_with, cancellable, yield_resource};
use guard_tests::{Dropped, Log, poll_once, poll_times, yield_once};
use tokio::sync::Semaphore;

use crate::simulation;

#[async_context]
async fn permit(semaphore: Arc<Semaphore>, log: Log) {
    let _waiting = Dropped(log.clone(), "set-up");
    let permit = cancellable!(semaphore.acquire()).unwrap();
    log.push("acquired");
    yield_once().await;
    yield_resource!();
    drop(permit);
    log.push("released");
}

async fn using(semaphore: Arc<Semaphore>, log: Log) {
    async_with!(_held = permit(semaphore, log), {
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_wait_in_a_window_is_dropped_at_once() {
    simulation::install();
    let (log, semaphore) = (Log::new(), Arc::new(Semaphore::new(0)));
    let mut future = Box::pin(using(semaphore.clone(), log.clone()));
    assert!(poll_once(future.as_mut()).is_pending());
    drop(future);
    assert_eq!(log.line(), "drop(set-up)");
    assert_eq!(
        simulation::background_tasks(),
        0,
        "nobody waits for the lock"
    );

    semaphore.add_permits(1);
    assert_eq!(semaphore.available_permits(), 1, "nobody takes it");
    assert_eq!(simulation::reports_containing("windows::permit"), [""; 0]);
}

#[test]
fn a_set_up_that_is_dropped_after_its_window_is_finished() {
    simulation::install();
    let (log, semaphore) = (Log::new(), Arc::new(Semaphore::new(1)));
    let mut future = Box::pin(using(semaphore.clone(), log.clone()));
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(log.line(), "acquired");
    drop(future);
    simulation::finish_background();
    assert_eq!(log.line(), "released drop(set-up)");
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_permit_that_came_before_the_drop_is_given_back() {
    // The race of every lock: it is granted, and the waiter is dropped before it is polled again.
    simulation::install();
    let (log, semaphore) = (Log::new(), Arc::new(Semaphore::new(0)));
    let mut future = Box::pin(using(semaphore.clone(), log.clone()));
    assert!(poll_once(future.as_mut()).is_pending());
    semaphore.add_permits(1);
    drop(future);
    assert_eq!(log.line(), "drop(set-up)");
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_cancelled_set_up_that_comes_to_a_window_stops_there() {
    #[async_context]
    async fn comes_to_a_window(log: Log) {
        let _held = Dropped(log.clone(), "held");
        yield_once().await;
        yield_once().await;
        log.push("waits");
        cancellable!(std::future::pending::<()>());
        yield_resource!();
    }

    simulation::install();
    let log = Log::new();
    let mut entering = Box::pin(comes_to_a_window(log.clone()).enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    drop(entering);
    assert_eq!(simulation::background_tasks(), 1);
    assert_eq!(log.line(), "");
    simulation::finish_background();
    assert_eq!(log.line(), "waits drop(held)");
    assert_eq!(simulation::reports_containing("comes_to_a_window"), [""; 0]);
}

#[test]
fn a_window_that_panics_is_closed() {
    #[async_context]
    async fn panics_in_window() {
        cancellable!(async {
            yield_once().await;
            panic!("in the window");
        });
        yield_resource!();
    }

    simulation::install();
    let mut entering = Box::pin(panics_in_window().enter());
    assert!(poll_once(entering.as_mut()).is_pending());
    let poll = std::panic::AssertUnwindSafe(|| poll_times(entering.as_mut(), 1));
    let payload = std::panic::catch_unwind(poll).err().unwrap();
    assert_eq!(payload.downcast_ref(), Some(&"in the window"));
    drop(entering);
    assert_eq!(simulation::background_tasks(), 0);
    assert_eq!(simulation::reports_containing("panics_in_window"), [""; 0]);
}
