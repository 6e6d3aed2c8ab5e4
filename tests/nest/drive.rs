//! `guard.drive(…)` gives a guard a block: it has a nest, and the guard's exit waits for that nest.

use guard_core::{AsyncContext, async_with, drain};

use crate::support::{forever, logs, paused, poll_and_drop, step};

#[test]
fn the_exit_of_a_guard_waits_for_a_use_that_is_cancelled_in_drive() {
    let (log, _) = logs();
    paused().block_on(async {
        let Ok(mut guard) = step(log.clone(), "guard", 0).enter().await;
        let Ok(value) = guard
            .drive(async |_| {
                poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
                7
            })
            .await;
        assert_eq!(value, 7);
        log.push("next");
        let Ok(()) = guard.exit().await;
        assert_eq!(log.line(), "+guard +x next -x -guard");
    });
}

#[test]
fn drive_does_not_exit_and_can_be_called_again() {
    let (log, _) = logs();
    paused().block_on(async {
        let Ok(mut guard) = step(log.clone(), "guard", 0).enter().await;
        for name in ["x", "y"] {
            let driven = guard.drive(async |_| {
                poll_and_drop(step(log.clone(), name, 3).run(async |()| forever().await));
            });
            let Ok(()) = driven.await;
        }
        assert_eq!(log.line(), "+guard +x +y");
        let Ok(()) = guard.exit().await;
        let all = log.take();
        assert_eq!(all.last().unwrap(), "-guard", "{all:?}");
        assert_eq!(all.len(), 3, "{all:?}");
    });
}

#[test]
fn a_dropped_drive_leaves_its_uses_to_the_guard() {
    let (log, _) = logs();
    paused().block_on(async {
        let Ok(mut guard) = step(log.clone(), "guard", 0).enter().await;
        poll_and_drop(guard.drive(async |_| {
            step(log.clone(), "x", 5)
                .run(async |()| forever().await)
                .await;
        }));
        let Ok(()) = guard.exit().await;
        assert_eq!(log.line(), "+guard +x -x -guard");
    });
}

#[test]
fn a_dropped_guard_waits_for_a_use_that_is_cancelled_in_drive() {
    let (log, _) = logs();
    paused().block_on(async {
        let Ok(mut guard) = step(log.clone(), "guard", 0).enter().await;
        let driven = guard.drive(async |_| {
            poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
        });
        let Ok(()) = driven.await;
        drop(guard);
        drain().await;
        assert_eq!(log.line(), "+guard +x -x -guard");
    });
}

#[test]
fn a_use_waits_for_the_nest_of_a_driven_guard() {
    let (log, _) = logs();
    paused().block_on(async {
        async_with!(_outer = step(log.clone(), "outer", 0), {
            let Ok(mut guard) = step(log.clone(), "guard", 0).enter().await;
            let driven = guard.drive(async |_| {
                poll_and_drop(step(log.clone(), "x", 5).run(async |()| forever().await));
            });
            let Ok(()) = driven.await;
            drop(guard);
        });
        assert_eq!(log.line(), "+outer +guard +x -x -guard -outer");
    });
}
