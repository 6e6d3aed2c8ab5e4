//! Clean-ups that would wait for one another in a cycle do not wait.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use guard_core::{
    AsyncContext, BoxContext, Guard, async_context, async_with, drain, yield_resource,
};
use guard_tests::{Log, yield_once};

use crate::support::{Block, forever, logs, must_end, paused, poll_and_drop, step};

type Slot<T> = Arc<Mutex<Option<T>>>;

/// A context whose exit takes the value out of the slot and drops it.
#[async_context]
async fn empties_the_slot<T: Send + 'static>(log: Log, slot: Slot<T>, before: usize, after: usize) {
    yield_resource!();
    for _ in 0..before {
        yield_once().await;
    }
    let found = slot.lock().unwrap().take();
    drop(found);
    for _ in 0..after {
        yield_once().await;
    }
    log.push("-empties_the_slot");
}

/// Polls the future in the slot until it is taken out, as a registry of sessions does.
async fn run_until_taken(slot: &Slot<Block>) {
    std::future::poll_fn(|cx| match slot.lock().unwrap().as_mut() {
        Some(future) => Pin::new(future).poll(cx),
        None => Poll::Ready(()),
    })
    .await;
}

#[test]
fn an_inner_exit_may_drop_the_session_around_it() {
    for after in [0, 3] {
        let (log, reports) = logs();
        let line = must_end(move || {
            paused().block_on(async {
                let slot = Slot::default();
                let session = {
                    let (log, slot) = (log.clone(), slot.clone());
                    step(log.clone(), "session", 1).run(async move |()| {
                        let inner = empties_the_slot::<Block>(log, slot, 2, after);
                        poll_and_drop(inner.run(async |()| forever().await));
                        forever().await;
                    })
                };
                *slot.lock().unwrap() = Some(Box::pin(session) as Block);
                tokio::select! {
                    () = run_until_taken(&slot) => {}
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                }
                drain().await;
            });
            log.line()
        });
        assert_eq!(line, "+session -empties_the_slot -session");
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn an_exit_may_drop_a_use_several_levels_above_it() {
    let (log, reports) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            let slot = Slot::default();
            let outermost = {
                let (log, slot) = (log.clone(), slot.clone());
                step(log.clone(), "a", 1).run(async move |()| {
                    poll_and_drop(step(log.clone(), "b", 1).run(async |()| {
                        poll_and_drop(step(log.clone(), "c", 1).run(async |()| {
                            let inner = empties_the_slot::<Block>(log.clone(), slot, 3, 3);
                            poll_and_drop(inner.run(async |()| forever().await));
                            forever().await;
                        }));
                        forever().await;
                    }));
                    forever().await;
                })
            };
            *slot.lock().unwrap() = Some(Box::pin(outermost) as Block);
            tokio::select! {
                () = run_until_taken(&slot) => {}
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
            }
            drain().await;
        });
        log.line()
    });
    assert_eq!(line, "+a +b +c -empties_the_slot -c -b -a");
    assert_eq!(reports.line(), "");
}

#[test]
fn the_exit_of_a_guard_may_drop_the_guard_that_waits_for_it() {
    type Kept = Guard<BoxContext<'static, (), std::convert::Infallible>>;

    for before in [0, 2] {
        let (log, reports) = logs();
        let line = must_end(move || {
            paused().block_on(async {
                let slot: Slot<Kept> = Slot::default();
                let Ok(first) = step(log.clone(), "first", 1).boxed().enter().await;
                let Ok(second) = empties_the_slot(log.clone(), slot.clone(), before, 3)
                    .enter()
                    .await;
                *slot.lock().unwrap() = Some(first);
                drop(second);
                drain().await;
            });
            log.line()
        });
        assert!(
            [
                "+first -empties_the_slot -first",
                "+first -first -empties_the_slot"
            ]
            .contains(&&*line),
            "both exits should run: {line}"
        );
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn a_use_waits_for_two_guards_that_would_wait_for_each_other() {
    type Kept = Guard<BoxContext<'static, (), std::convert::Infallible>>;

    let (log, reports) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let slot: Slot<Kept> = Slot::default();
                let Ok(first) = step(log.clone(), "first", 1).boxed().enter().await;
                let Ok(second) = empties_the_slot(log.clone(), slot.clone(), 0, 3)
                    .enter()
                    .await;
                *slot.lock().unwrap() = Some(first);
                // The first poll of this exit, in place, drops `first`.
                drop(second);
            });
        });
        log.line()
    });
    assert!(
        [
            "+outer +first -empties_the_slot -first -outer",
            "+outer +first -first -empties_the_slot -outer"
        ]
        .contains(&&*line),
        "{line}"
    );
    assert_eq!(reports.line(), "");
}

#[test]
fn a_cycle_does_not_hold_up_the_use_around_it() {
    let (log, reports) = logs();
    let line = must_end(move || {
        paused().block_on(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let slot = Slot::default();
                let session = {
                    let (log, slot) = (log.clone(), slot.clone());
                    step(log.clone(), "session", 1).run(async move |()| {
                        let inner = empties_the_slot::<Block>(log, slot, 2, 1);
                        poll_and_drop(inner.run(async |()| forever().await));
                        forever().await;
                    })
                };
                *slot.lock().unwrap() = Some(Box::pin(session) as Block);
                tokio::select! {
                    () = run_until_taken(&slot) => {}
                    () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                }
            });
            drain().await;
        });
        log.line()
    });
    let events: Vec<_> = line.split(' ').collect();
    assert_eq!(events.len(), 5, "{line}");
    let at = |event: &str| events.iter().position(|it| *it == event).unwrap();
    assert!(at("-empties_the_slot") < at("-session"), "{line}");
    assert_eq!(reports.line(), "");
}
