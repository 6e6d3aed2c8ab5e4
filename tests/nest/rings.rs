//! Clean-ups that would wait for one another in a ring do not.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use guard_core::{
    AsyncContext, BoxContext, Guard, async_context, async_with, drain, yield_resource,
};
use guard_tests::{Log, yield_once};

use crate::support::{Block, ends, forever, logs, paused, poll_and_drop, step};

type Slot<T> = Arc<Mutex<Option<T>>>;

/// Its exit drops what it finds in the slot.
#[async_context]
async fn empties<T: Send + 'static>(log: Log, slot: Slot<T>, before: usize, after: usize) {
    yield_resource!();
    for _ in 0..before {
        yield_once().await;
    }
    let found = slot.lock().unwrap().take();
    drop(found);
    for _ in 0..after {
        yield_once().await;
    }
    log.push("-empties");
}

/// Polls what is in the slot until it is taken out, as a registry does.
async fn run_until_taken(slot: &Slot<Block>) {
    std::future::poll_fn(|cx| match slot.lock().unwrap().as_mut() {
        Some(future) => Pin::new(future).poll(cx),
        None => Poll::Ready(()),
    })
    .await;
}

#[test]
fn an_inner_exit_that_drops_its_own_session() {
    for after in [0, 3] {
        let (log, reports) = logs();
        let line = ends(move || {
            paused().block_on(async {
                let slot = Slot::default();
                let session = {
                    let (log, slot) = (log.clone(), slot.clone());
                    step(log.clone(), "session", 1).run(async move |()| {
                        let inner = empties::<Block>(log, slot, 2, after);
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
        assert_eq!(line, "+session -empties -session");
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn an_exit_that_drops_an_ancestor() {
    let (log, reports) = logs();
    let line = ends(move || {
        paused().block_on(async {
            let slot = Slot::default();
            let outermost = {
                let (log, slot) = (log.clone(), slot.clone());
                step(log.clone(), "a", 1).run(async move |()| {
                    poll_and_drop(step(log.clone(), "b", 1).run(async |()| {
                        poll_and_drop(step(log.clone(), "c", 1).run(async |()| {
                            let inner = empties::<Block>(log.clone(), slot, 3, 3);
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
    assert_eq!(line, "+a +b +c -empties -c -b -a");
    assert_eq!(reports.line(), "");
}

#[test]
fn a_guard_whose_exit_drops_the_guard_it_is_tied_to() {
    type Kept = Guard<BoxContext<'static, (), std::convert::Infallible>>;

    for before in [0, 2] {
        let (log, reports) = logs();
        let line = ends(move || {
            paused().block_on(async {
                let slot: Slot<Kept> = Slot::default();
                let Ok(first) = step(log.clone(), "first", 1).boxed().enter().await;
                let Ok(second) = empties(log.clone(), slot.clone(), before, 3).enter().await;
                *slot.lock().unwrap() = Some(first);
                drop(second);
                drain().await;
            });
            log.line()
        });
        assert!(
            ["+first -empties -first", "+first -first -empties"].contains(&&*line),
            "both are done: {line}"
        );
        assert_eq!(reports.line(), "");
    }
}

#[test]
fn the_use_around_such_guards_is_over_after_both() {
    type Kept = Guard<BoxContext<'static, (), std::convert::Infallible>>;

    let (log, reports) = logs();
    let line = ends(move || {
        paused().block_on(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let slot: Slot<Kept> = Slot::default();
                let Ok(first) = step(log.clone(), "first", 1).boxed().enter().await;
                let Ok(second) = empties(log.clone(), slot.clone(), 0, 3).enter().await;
                *slot.lock().unwrap() = Some(first);
                // It drops the first one in its poll in place.
                drop(second);
            });
        });
        log.line()
    });
    assert!(
        [
            "+outer +first -empties -first -outer",
            "+outer +first -first -empties -outer"
        ]
        .contains(&&*line),
        "{line}"
    );
    assert_eq!(reports.line(), "");
}

#[test]
fn a_session_in_the_block_of_a_use_of_its_own_runtime() {
    // What enclosed it goes on and is not held up by the ring.
    let (log, reports) = logs();
    let line = ends(move || {
        paused().block_on(async {
            async_with!(_outer = step(log.clone(), "outer", 0), {
                let slot = Slot::default();
                let session = {
                    let (log, slot) = (log.clone(), slot.clone());
                    step(log.clone(), "session", 1).run(async move |()| {
                        let inner = empties::<Block>(log, slot, 2, 1);
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
    assert!(at("-empties") < at("-session"), "{line}");
    assert_eq!(reports.line(), "");
}
